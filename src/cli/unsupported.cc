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
    if (listener.tls.is_on()) add(listener, "TLS");
  }
  return problems;
}

}  // namespace nightjar::cli
