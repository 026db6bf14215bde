#include "cli/check_rules.h"

#include <algorithm>
#include <map>

#include "auth/rule_lint.h"

namespace nightjar::cli {
namespace {

void add_to(auth::RuleAudience& audience, const auth::ListenerAccess& listener) {
  const auth::AccessSettings& settings = listener.settings;
  audience.listeners.insert(settings.listener);
  if (listener.passwords)
    listener.passwords->for_each([&](std::string_view user, const auto&) { audience.users.emplace(user); });
  const bool takes_any_name = settings.is_mosquitto && !listener.passwords;
  audience.has_other_users |= takes_any_name || settings.user_from != auth::UserFrom::kNone;
  audience.has_anonymous |= settings.allows_anonymous;
}

}  // namespace

Result<std::vector<std::string>> check_rules(const auth::Access& access) {
  struct File {
    auth::AccessSettings settings;
    auth::RuleAudience audience;
  };
  std::map<std::string, File> files;
  for (const auth::ListenerAccess& listener : access.listeners()) {
    // The one without a name stands in for listeners that are not there.
    if (listener.settings.acl_file.empty() || listener.settings.listener.empty()) continue;
    File& file = files[listener.settings.acl_file];
    file.settings = listener.settings;
    add_to(file.audience, listener);
  }
  std::vector<std::string> findings;
  for (const auto& [path, file] : files) {
    NJ_TRY(const auth::WrittenRules written, auth::written_rules(file.settings));
    const auto found = auth::lint(written, path, file.audience);
    findings.insert(findings.end(), found.begin(), found.end());
  }
  return findings;
}

}  // namespace nightjar::cli
