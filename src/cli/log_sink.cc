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
#include <utility>
#include <vector>

#include "cli/json_text.h"
#include "net/fd.h"

namespace nightjar::cli {
namespace {

constexpr char kTextPattern[] = "%Y-%m-%d %H:%M:%S.%e %-5l %v";
constexpr char kTimelessPattern[] = "%-5l %v";
constexpr char kOwnTimePattern[] = "%*: %-5l %v";
constexpr char kJsonPattern[] = R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})";

Result<net::Fd> open_log_file(const std::string& path) {
  net::Fd file{::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640)};
  if (file) return file;
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

// A file that lines are appended to.
class FileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  FileSink(std::string path, net::Fd file) : path_(std::move(path)), file_(std::move(file)) {}

  Result<void> reopen() {
    NJ_TRY(net::Fd file, open_log_file(path_));
    const std::lock_guard lock(mutex_);
    file_ = std::move(file);
    return {};
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
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
};

// A log::Sink is a plain function, so what it writes to lives here. Set before other threads start.
std::unique_ptr<spdlog::logger> g_logger;
std::shared_ptr<FileSink> g_file;  // if the log is one

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

void write_text(log::Level level, std::string_view message, std::span<const log::Field> fields) {
  g_logger->log(level_of(level), spdlog::string_view_t(text_line(message, fields)));
}
void write_json(log::Level level, std::string_view message, std::span<const log::Field> fields) {
  g_logger->log(level_of(level), spdlog::string_view_t(json_members(message, fields)));
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

Result<spdlog::sink_ptr> make_sink(const std::string& destination, const config::LogConfig& config) {
  if (destination == "none") return std::make_shared<spdlog::sinks::null_sink_mt>();
  if (destination == "syslog") {
    const int facility = kFacilities[std::min<std::size_t>(config.facility, kFacilities.size() - 1)];
    return std::make_shared<spdlog::sinks::syslog_sink_mt>("nightjar", LOG_PID, facility, true);
  }
  if (destination == "stderr") return std::make_shared<spdlog::sinks::stderr_sink_mt>();
  if (destination == "stdout") return std::make_shared<spdlog::sinks::stdout_sink_mt>();
  NJ_TRY(net::Fd file, open_log_file(destination));
  g_file = std::make_shared<FileSink>(destination, std::move(file));
  return g_file;
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

Result<void> install_log(const config::LogConfig& config) {
  g_file = nullptr;
  NJ_TRY(spdlog::sink_ptr first, make_sink(config.destination, config));
  std::vector<spdlog::sink_ptr> sinks{std::move(first)};
  for (const std::string& destination : config.more_destinations) {
    NJ_TRY(spdlog::sink_ptr sink, make_sink(destination, config));
    sinks.push_back(std::move(sink));
  }
  g_logger = std::make_unique<spdlog::logger>("nightjar", sinks.begin(), sinks.end());
  const bool is_json = config.format == config::LogFormat::kJson;
  g_logger->set_formatter(make_formatter(config));
  g_logger->set_level(spdlog::level::debug);  // the facade filters
  g_logger->flush_on(spdlog::level::debug);
  log::set_level(config.level);
  log::set_sink(is_json ? write_json : write_text);
  return {};
}

Result<bool> reopen_log() {
  if (!g_file) return false;
  NJ_CHECK(g_file->reopen());
  return true;
}

}  // namespace nightjar::cli
