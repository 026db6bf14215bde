// Patterns of rules for names and texts. Pure.
#pragma once

#include <string_view>

namespace nightjar::auth {

// '*' stands for any text, also none.
bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace nightjar::auth
