// Where log lines go and what they look like: text for people or one JSON object per line.
// Installed once before other threads start; lines may then come from any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "config/config.h"

namespace nightjar::cli {

// Fails if the log file cannot be opened.
Result<void> install_log(const config::LogConfig& config);

// `message key=value`; values that hold spaces, quotes or control characters are quoted and escaped, so that
// no client id can forge a line.
std::string text_line(std::string_view message, std::span<const log::Field> fields);
// `"message":"...","key":"value"`, without the braces.
std::string json_members(std::string_view message, std::span<const log::Field> fields);

}  // namespace nightjar::cli
