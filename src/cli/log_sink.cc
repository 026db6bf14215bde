#include "cli/log_sink.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>

#include "cli/json_text.h"

namespace nightjar::cli {
namespace {

constexpr char kTextPattern[] = "%Y-%m-%d %H:%M:%S.%e %-5l %v";
constexpr char kJsonPattern[] = R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})";

// A log::Sink is a plain function, so what it writes to lives here. Set before other threads start.
std::unique_ptr<spdlog::logger> g_logger;

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

spdlog::sink_ptr make_sink(const std::string& destination) {
  if (destination == "stderr") return std::make_shared<spdlog::sinks::stderr_sink_mt>();
  if (destination == "stdout") return std::make_shared<spdlog::sinks::stdout_sink_mt>();
  return std::make_shared<spdlog::sinks::basic_file_sink_mt>(destination);
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
  std::string members = "\"message\":";
  append_json_string(message, members);
  for (const log::Field& field : fields) {
    members += fmt::format(",\"{}\":", field.name);
    append_json_string(field.value, members);
  }
  return members;
}

Result<void> install_log(const config::LogConfig& config) {
  try {
    g_logger = std::make_unique<spdlog::logger>("nightjar", make_sink(config.destination));
  } catch (const spdlog::spdlog_ex& error) {
    return fail(fmt::format("cannot write the log: {}", error.what()));
  }
  const bool is_json = config.format == config::LogFormat::kJson;
  g_logger->set_pattern(is_json ? kJsonPattern : kTextPattern);
  g_logger->set_level(spdlog::level::debug);  // the facade filters
  g_logger->flush_on(spdlog::level::debug);
  log::set_level(config.level);
  log::set_sink(is_json ? write_json : write_text);
  return {};
}

}  // namespace nightjar::cli
