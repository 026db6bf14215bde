// What a broker says on its control socket, for who asked. Pure.
#pragma once

#include <string>

#include "base/result.h"

namespace nightjar::cli {

// The broker's own words when it refused.
Result<void> check_answer(const std::string& answer);

}  // namespace nightjar::cli
