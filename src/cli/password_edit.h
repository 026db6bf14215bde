// Changes to the text of a password file; comments, blank lines and the order stay. Pure, but for the salts.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace nightjar::cli {

// Replaces the user's line or adds one. `name` is how errors call the file.
Result<std::string> with_user(std::string_view text, std::string_view name, std::string_view user,
                              std::string_view hash);
// Fails if there is no such user.
Result<std::string> without_user(std::string_view text, std::string_view name, std::string_view user);
// Every password that is no hash becomes one.
Result<std::string> with_hashes(std::string_view text, std::string_view name,
                                const std::function<Result<std::string>(std::string_view password)>& hash);

}  // namespace nightjar::cli
