// Where log lines go and what they look like: text for people or one JSON object per line.
// Installed before other threads start, and exchanged while they run; lines may come from any thread.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "config/config.h"

namespace nightjar::cli {

// What a configuration makes of the log, ready to take lines.
class LogOutlet;
// Fails if the log file cannot be opened; its folder is not made.
Result<std::shared_ptr<LogOutlet>> open_log(const config::LogConfig& config);
// Lines go there from now on; returns where they went before, which may be null.
std::shared_ptr<LogOutlet> exchange_log(std::shared_ptr<LogOutlet> next);
// Both at once.
Result<void> install_log(const config::LogConfig& config);
// Whether lines for this destination go into a file of that name; else it is a word that means something.
bool is_log_file(std::string_view destination);
// Opens the log file anew under its name, after logrotate or somebody else moved it away. Until then, and if
// that fails, lines go where they went. False if the log is not a file. Any thread.
Result<bool> reopen_log();

// `message key=value`; values that hold spaces, quotes or control characters are quoted and escaped, so that
// no client id can forge a line.
std::string text_line(std::string_view message, std::span<const log::Field> fields);
// `"message":"...","key":"value"`, without the braces.
std::string json_members(std::string_view message, std::span<const log::Field> fields);

}  // namespace nightjar::cli
