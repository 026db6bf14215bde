#include "cli/unsupported.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace nightjar::cli {

config::Problems unsupported(const config::Config& config) {
  config::Problems problems;
  const auto add = [&](const config::ListenerConfig& listener, std::string_view what) {
    problems.push_back(config::said_at(config, listener.label, "") +
                       fmt::format("{} is not supported yet", what));
  };
  for (const config::ListenerConfig& listener : config.listeners) {
    if (!listener.auth.password_file.empty()) add(listener, "password_file");
    if (!listener.auth.acl_file.empty()) add(listener, "acl_file");
  }
  return problems;
}

}  // namespace nightjar::cli
