#include "cli/log_sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "cli/json_text.h"
#include "cli/log_topic.h"
#include "net/fd.h"

namespace nightjar::cli {
namespace {

constexpr char kTextPattern[] = "%Y-%m-%d %H:%M:%S.%e %-5l %v";
constexpr char kTimelessPattern[] = "%-5l %v";
constexpr char kOwnTimePattern[] = "%*: %-5l %v";
constexpr char kJsonPattern[] = R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})";

struct LogFile {
  net::Fd file;
  bool is_new = false;
};

Result<LogFile> open_log_file(const std::string& path) {
  constexpr int kHow = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC;
  LogFile made{net::Fd{::open(path.c_str(), kHow | O_EXCL, 0640)}, true};
  if (made.file) return made;
  LogFile found{net::Fd{::open(path.c_str(), kHow, 0640)}};
  if (found.file) return found;
  const int error = errno;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code ignored;
  if (error == ENOENT && !folder.empty() && !std::filesystem::exists(folder, ignored)) {
    return fail(
        fmt::format("cannot write the log to {0}: the folder {1} does not exist; create it (mkdir -p {1}) or "
                    "choose another file",
                    path, folder.string()));
  }
  return fail(
      fmt::format("cannot write the log to {}: {}; choose a file that user {} may write, or \"stderr\"", path,
                  std::strerror(error), ::geteuid()));
}

// A file that lines are appended to. One that is new and gets no line is taken away again: a configuration
// that is given up leaves nothing behind.
class FileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  FileSink(std::string path, LogFile log)
      : path_(std::move(path)), file_(std::move(log.file)), is_untouched_(log.is_new) {}
  ~FileSink() override {
    if (is_untouched_) ::unlink(path_.c_str());
  }
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  Result<void> reopen() {
    NJ_TRY(LogFile log, open_log_file(path_));
    const std::lock_guard lock(mutex_);
    file_ = std::move(log.file);
    is_untouched_ = false;
    return {};
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    is_untouched_ = false;
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string_view rest{line.data(), line.size()};
    while (!rest.empty()) {
      const ssize_t written = ::write(file_.get(), rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;  // a full disk must not stop the broker
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void flush_() override {}

  const std::string path_;
  net::Fd file_;
  bool is_untouched_;
};

// Lines as messages of the broker itself.
class TopicSink final : public spdlog::sinks::base_sink<std::mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string_view text{line.data(), line.size()};
    while (text.ends_with('\n')) text.remove_suffix(1);
    publish_line(level_of(message.level), text);
  }
  static log::Level level_of(spdlog::level::level_enum level) {
    return level >= spdlog::level::err     ? log::Level::kError
           : level == spdlog::level::warn  ? log::Level::kWarn
           : level == spdlog::level::debug ? log::Level::kDebug
                                           : log::Level::kInfo;
  }
  void flush_() override {}
};

spdlog::level::level_enum level_of(log::Level level) {
  switch (level) {
    case log::Level::kDebug:
      return spdlog::level::debug;
    case log::Level::kInfo:
      return spdlog::level::info;
    case log::Level::kWarn:
      return spdlog::level::warn;
    case log::Level::kError:
      break;
  }
  return spdlog::level::err;
}

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f || c == '"' || c == '\\' || c == '=') return true;
  }
  return false;
}

// The time as strftime writes it in the language of the configuration.
class TimeFlag final : public spdlog::custom_flag_formatter {
 public:
  explicit TimeFlag(std::string format) : format_(std::move(format)) {}
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& line) override {
    const std::time_t seconds = spdlog::log_clock::to_time_t(message.time);
    std::tm time{};
    ::localtime_r(&seconds, &time);
    std::array<char, 128> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), format_.c_str(), &time);
    line.append(text.data(), text.data() + size);
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<TimeFlag>(format_);
  }

 private:
  std::string format_;
};

std::unique_ptr<spdlog::formatter> make_formatter(const config::LogConfig& config) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  if (config.format == config::LogFormat::kJson) {
    formatter->set_pattern(kJsonPattern);
  } else if (!config.has_time) {
    formatter->set_pattern(kTimelessPattern);
  } else if (!config.time_format.empty()) {
    formatter->add_flag<TimeFlag>('*', config.time_format).set_pattern(kOwnTimePattern);
  } else {
    formatter->set_pattern(kTextPattern);
  }
  return formatter;
}

constexpr std::array kFacilities{LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3, LOG_LOCAL4,
                                 LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7, LOG_DAEMON};

// The last file, if some destination is one, is left in `file`.
Result<spdlog::sink_ptr> make_sink(const std::string& destination, const config::LogConfig& config,
                                   std::shared_ptr<FileSink>& log_file) {
  if (destination == "none") return std::make_shared<spdlog::sinks::null_sink_mt>();
  if (destination == "syslog") {
    const int facility = kFacilities[std::min<std::size_t>(config.facility, kFacilities.size() - 1)];
    return std::make_shared<spdlog::sinks::syslog_sink_mt>("nightjar", LOG_PID, facility, true);
  }
  if (destination == "topic") return std::make_shared<TopicSink>();
  if (destination == "stderr") return std::make_shared<spdlog::sinks::stderr_sink_mt>();
  if (destination == "stdout") return std::make_shared<spdlog::sinks::stdout_sink_mt>();
  NJ_TRY(LogFile file, open_log_file(destination));
  log_file = std::make_shared<FileSink>(destination, std::move(file));
  return log_file;
}

}  // namespace

class LogOutlet {
 public:
  LogOutlet(const config::LogConfig& config, const std::vector<spdlog::sink_ptr>& sinks,
            std::shared_ptr<FileSink> file)
      : level_(config.level),
        is_json_(config.format == config::LogFormat::kJson),
        logger_("nightjar", sinks.begin(), sinks.end()),
        file_(std::move(file)) {
    logger_.set_formatter(make_formatter(config));
    logger_.set_level(spdlog::level::debug);  // the facade filters
    logger_.flush_on(spdlog::level::debug);
  }

  void write(log::Level level, std::string_view message, std::span<const log::Field> fields) {
    logger_.log(level_of(level),
                spdlog::string_view_t(is_json_ ? json_members(message, fields) : text_line(message, fields)));
  }
  [[nodiscard]] log::Level level() const { return level_; }
  [[nodiscard]] FileSink* file() const { return file_.get(); }

 private:
  const log::Level level_;
  const bool is_json_;
  spdlog::logger logger_;
  const std::shared_ptr<FileSink> file_;  // if the log is one
};

namespace {

// A log::Sink is a plain function, so what it writes to lives here. Held for reading while a line is written,
// so that an outlet is not closed under it.
std::shared_mutex g_outlet_lock;
std::shared_ptr<LogOutlet> g_outlet;

void write_line(log::Level level, std::string_view message, std::span<const log::Field> fields) {
  const std::shared_lock lock(g_outlet_lock);
  g_outlet->write(level, message, fields);
}

}  // namespace

std::string text_line(std::string_view message, std::span<const log::Field> fields) {
  std::string line{message};
  for (const log::Field& field : fields) {
    line += fmt::format(" {}=", field.name);
    if (needs_quotes(field.value)) {
      append_json_string(field.value, line);
    } else {
      line += field.value;
    }
  }
  return line;
}

std::string json_members(std::string_view message, std::span<const log::Field> fields) {
  std::string text;
  JsonMembers members{text};
  members.text("message", message);
  for (const log::Field& field : fields) members.text(field.name, field.value);
  return text;
}

bool is_log_file(std::string_view destination) {
  constexpr std::array<std::string_view, 5> kWords{"none", "syslog", "topic", "stderr", "stdout"};
  return std::find(kWords.begin(), kWords.end(), destination) == kWords.end();
}

Result<std::shared_ptr<LogOutlet>> open_log(const config::LogConfig& config) {
  std::shared_ptr<FileSink> file;
  NJ_TRY(spdlog::sink_ptr first, make_sink(config.destination, config, file));
  std::vector<spdlog::sink_ptr> sinks{std::move(first)};
  for (const std::string& destination : config.more_destinations) {
    NJ_TRY(spdlog::sink_ptr sink, make_sink(destination, config, file));
    sinks.push_back(std::move(sink));
  }
  return std::make_shared<LogOutlet>(config, sinks, std::move(file));
}

std::shared_ptr<LogOutlet> exchange_log(std::shared_ptr<LogOutlet> next) {
  log::set_level(next->level());
  {
    const std::unique_lock lock(g_outlet_lock);
    g_outlet.swap(next);
  }
  log::set_sink(write_line);
  return next;
}

Result<void> install_log(const config::LogConfig& config) {
  NJ_TRY(std::shared_ptr<LogOutlet> outlet, open_log(config));
  exchange_log(std::move(outlet));
  return {};
}

Result<bool> reopen_log() {
  std::shared_ptr<LogOutlet> outlet;
  {
    const std::shared_lock lock(g_outlet_lock);
    outlet = g_outlet;
  }
  if (!outlet || outlet->file() == nullptr) return false;
  NJ_CHECK(outlet->file()->reopen());
  return true;
}

}  // namespace nightjar::cli
