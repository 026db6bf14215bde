// What `nightjar check` finds in the files of rules. Reads them; any thread.
#pragma once

#include <string>
#include <vector>

#include "auth/access.h"
#include "base/result.h"

namespace nightjar::cli {

Result<std::vector<std::string>> check_rules(const auth::Access& access);

}  // namespace nightjar::cli
