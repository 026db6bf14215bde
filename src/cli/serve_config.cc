#include "cli/serve_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "auth/access.h"
#include "broker/ids.h"
#include "cli/access_settings.h"
#include "config/difference.h"
#include "net/address.h"

namespace nightjar::cli {
namespace {

constexpr std::uint16_t kDefaultPort = 1883;

// Only programs on this machine reach it, so they may enter as they are.
config::ListenerConfig loopback_listener(const config::Config& config) {
  config::ListenerConfig listener{.address = "localhost", .port = kDefaultPort, .policy = config.limits};
  listener.policy.name = "local";
  listener.policy.allow_anonymous = true;
  listener.auth = config.auth;
  return listener;
}

config::Problems check_access(const config::Config& config) {
  const auto access = auth::Access::load(access_settings(config));
  return access ? config::Problems{} : config::Problems{access.error().message};
}

config::Problems check_addresses(const config::Config& config) {
  config::Problems problems;
  for (const config::ListenerConfig& listener : config.listeners) {
    const auto addresses = net::addresses_of(listener.address, listener.port);
    if (addresses) continue;
    problems.push_back(config::said_at(config, listener.label, "address") + addresses.error().message);
  }
  return problems;
}

}  // namespace

Result<config::Config, config::Problems> serve_config(const ServeOptions& options) {
  config::Config config;
  if (options.config_file) {
    NJ_TRY(config, config::load_file(*options.config_file));
  }
  if (config.listeners.empty()) config.listeners.push_back(loopback_listener(config));
  if (options.port && config.listeners.size() > 1) {
    return tl::make_unexpected(config::Problems{
        fmt::format("-p {} does not say which of the {} listeners of {} it is for; set their ports there",
                    *options.port, config.listeners.size(), *options.config_file)});
  }
  if (options.port) {
    config::ListenerConfig& only = config.listeners.front();
    only.port = *options.port;
    config.from_command_line.insert(config::key_of(only, "port"));
    config.places.erase(only.label + ".port");
    config.places.erase(only.label);  // what is wrong with the port is not said there any more
  }
  if (options.data_dir) {
    config.node.data_dir = *options.data_dir;
    config.from_command_line.insert("node.data");
  }
  if (options.placement) {
    config.from_command_line.insert("node.placement");
    config.policy.placement =
        *options.placement == "spread" ? broker::Placement::kSpread : broker::Placement::kAdaptive;
  }
  if (options.workers) {
    config.node.workers = *options.workers;
    config.from_command_line.insert("node.workers");
  }
  if (config.policy.shards < config.node.workers) {
    return tl::make_unexpected(config::Problems{
        fmt::format("{} workers are more than the {} shards of the configuration; use at most {}",
                    config.node.workers, config.policy.shards, config.policy.shards)});
  }
  if (config::Problems wrong = check_addresses(config); !wrong.empty()) {
    return tl::make_unexpected(std::move(wrong));
  }
  if (config::Problems wrong = check_access(config); !wrong.empty()) {
    return tl::make_unexpected(std::move(wrong));
  }
  return config;
}

std::uint16_t worker_count(const config::Config& config) {
  if (config.node.workers != 0) return config.node.workers;
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  return static_cast<std::uint16_t>(std::min<unsigned>({cores, broker::kWorkersMax, config.policy.shards}));
}

}  // namespace nightjar::cli
