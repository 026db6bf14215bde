#include "cli/import_access.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <utility>

#include "auth/dynamic_security.h"
#include "auth/native_access.h"
#include "cli/option_checks.h"

namespace nightjar::cli {
namespace {

std::vector<config::AuthConfig*> all_of(config::Config& config) {
  std::vector<config::AuthConfig*> all{&config.auth};
  for (config::ListenerConfig& listener : config.listeners) all.push_back(&listener.auth);
  return all;
}

struct Names {
  std::string passwords;
  std::string rules;
};

// "/etc/nightjar.toml" -> "/etc/nightjar.passwords", and with a number from the second on.
Names names_beside(const std::string& output, std::size_t count) {
  const std::filesystem::path path = std::filesystem::absolute(output);
  const std::string stem = (path.parent_path() / path.stem()).string();
  const std::string number = count == 0 ? "" : fmt::format("-{}", count + 1);
  return {fmt::format("{}{}.passwords", stem, number), fmt::format("{}{}.rules.toml", stem, number)};
}

}  // namespace

Result<ImportedAccess> import_access(config::Config& config, const std::string& security,
                                     const std::string& output) {
  ImportedAccess imported;
  std::map<std::string, Names> written;
  for (config::AuthConfig* auth : all_of(config)) {
    if (!security.empty()) auth->dynamic_security = security;
    if (auth->dynamic_security.empty()) continue;
    const std::string path = std::exchange(auth->dynamic_security, {});
    auto names = written.find(path);
    if (names == written.end()) {
      const auto text = read_file(path);
      if (!text) return fail(text.error().message);
      NJ_TRY(const auth::DynamicSecurity read, auth::read_dynamic_security(*text, path));
      auth::NativeAccess native = auth::native_access(read);
      names = written.emplace(path, names_beside(output, written.size())).first;
      imported.files.push_back({names->second.passwords, std::move(native.passwords), 0600});
      imported.files.push_back({names->second.rules, std::move(native.rules)});
      for (const std::string& line : native.differing)
        imported.differing.push_back(fmt::format("{}: {}", path, line));
    }
    auth->password_file = names->second.passwords;
    auth->acl_file = names->second.rules;
    auth->has_mosquitto_acl = false;
  }
  return imported;
}

}  // namespace nightjar::cli
