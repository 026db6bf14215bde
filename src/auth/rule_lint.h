// What is suspicious about a file of rules although it can be read: rules that never apply, and names of
// nobody. Pure.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "auth/written_rule.h"

namespace nightjar::auth {

// Who meets the rules of one file.
struct RuleAudience {
  std::set<std::string, std::less<>> listeners;  // that use the file
  std::set<std::string, std::less<>> users;      // of their password files
  bool has_other_users = false;  // certificates, keys, or names that nobody proves say who else there is
  bool has_anonymous = false;    // clients without a name may enter
};

// Sentences that begin with file and line.
std::vector<std::string> lint(const WrittenRules& written, std::string_view name,
                              const RuleAudience& audience);

// Every topic and filter that `narrow` covers is covered by `wide`. Names (%c, %u) are taken as they stand.
bool covers(std::string_view wide, std::string_view narrow);

}  // namespace nightjar::auth
