// The answer to `stats` as a table for people. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace nightjar::cli {

// `answer` is the line that the broker sent. Fails if it is not an answer to `stats`.
Result<std::string> stats_table(std::string_view answer);

}  // namespace nightjar::cli
