#include "cli/serve_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "auth/access.h"
#include "broker/ids.h"
#include "cli/access_settings.h"
#include "cli/tls_listeners.h"
#include "config/difference.h"
#include "config/mosquitto/load.h"
#include "net/address.h"
#include "net/network.h"

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

Result<std::vector<net::Address>> all_addresses_of(const config::ListenerConfig& listener) {
  if (!listener.interface.empty()) return net::addresses_of_interface(listener.interface, listener.port);
  auto addresses = net::addresses_of(listener.address, listener.port);
  return addresses || !listener.is_name_allowed ? addresses
                                                : net::addresses_of_name(listener.address, listener.port);
}

config::Problems check_access(const config::Config& config) {
  const auto access = auth::Access::load(access_settings(config));
  return access ? config::Problems{} : config::Problems{access.error().message};
}

config::Problems check_tls(const config::Config& config) {
  const auto tls = TlsListeners::open(config, {});
  return tls ? config::Problems{} : config::Problems{tls.error().message};
}

// The key that a listener without addresses is to be helped by.
std::string key_of_addresses(const config::ListenerConfig& listener) {
  if (all_addresses_of(listener)) return "ip";
  return listener.interface.empty() ? "address" : "interface";
}

config::Problems check_addresses(const config::Config& config) {
  config::Problems problems;
  const auto note = [&](const std::string& label, const std::string& key, const std::string& message) {
    problems.push_back(config::said_at(config, label, key) + message);
  };
  for (const config::ListenerConfig& listener : config.listeners) {
    if (!listener.unix_path.empty()) {
      const auto address = net::unix_address(listener.unix_path);
      if (!address) note(listener.label, "path", address.error().message);
    } else if (const auto addresses = addresses_of(listener); !addresses) {
      note(listener.label, key_of_addresses(listener), addresses.error().message);
    }
    for (const std::string& text : listener.proxy.trusted) {
      const auto network = net::Network::parse(text);
      if (!network) note(listener.label + ".proxy", "trusted", network.error().message);
    }
  }
  return problems;
}

// An option decides, so what is wrong with it is not said in the file any more.
void is_from_option(config::Config& config, const std::string& key) {
  config.from_command_line.insert(key);
  config.places.erase(key);
}

// What the command line says beside the file and its listeners.
Result<config::Config, config::Problems> with_options(config::Config config, const ServeOptions& options) {
  if (options.data_dir) {
    config.node.data_dir = *options.data_dir;
    is_from_option(config, "node.data");
  }
  if (options.placement) {
    is_from_option(config, "node.placement");
    config.policy.placement =
        *options.placement == "spread" ? broker::Placement::kSpread : broker::Placement::kAdaptive;
  }
  if (options.workers) {
    config.node.workers = *options.workers;
    is_from_option(config, "node.workers");
  }
  if (options.is_verbose) {
    config.log.level = log::Level::kDebug;
    is_from_option(config, "log.level");
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
  if (config::Problems wrong = check_tls(config); !wrong.empty()) {
    return tl::make_unexpected(std::move(wrong));
  }
  return config;
}

Result<config::Config, config::Problems> mosquitto_config(const ServeOptions& options) {
  NJ_TRY(
      config::Config config,
      config::mosquitto::load_file(*options.config_file, {.port = options.port,
                                                          .is_verbose = options.is_verbose,
                                                          .is_without_bridges = options.is_without_bridges}));
  return with_options(std::move(config), options);
}

}  // namespace

Result<config::Config, config::Problems> serve_config(const ServeOptions& options) {
  config::Config config;
  if (options.config_file) {
    NJ_TRY(const std::string text, config::read_file(*options.config_file));
    if (config::mosquitto::is_mosquitto_conf(*options.config_file, text)) return mosquitto_config(options);
    NJ_TRY(config, config::load_text(text, *options.config_file));
  }
  if (config.listeners.empty()) config.listeners.push_back(loopback_listener(config));
  if (options.port && config.listeners.size() > 1) {
    return tl::make_unexpected(config::Problems{
        fmt::format("-p {} does not say which of the {} listeners of {} it is for; set their ports there",
                    *options.port, config.listeners.size(), *options.config_file)});
  }
  if (options.port) {
    config::ListenerConfig& only = config.listeners.front();
    if (!only.unix_path.empty()) {
      return tl::make_unexpected(
          config::Problems{fmt::format("-p {} is for a port, but the listener of {} is the Unix socket {}",
                                       *options.port, *options.config_file, only.unix_path)});
    }
    only.port = *options.port;
    config.from_command_line.insert(config::key_of(only, "port"));
    config.places.erase(only.label + ".port");
    config.places.erase(only.label);  // what is wrong with the port is not said there any more
  }
  return with_options(std::move(config), options);
}

Result<std::vector<net::Address>> addresses_of(const config::ListenerConfig& listener) {
  NJ_TRY(std::vector<net::Address> addresses, all_addresses_of(listener));
  if (listener.ip != config::IpVersion::kBoth) {
    const int family = listener.ip == config::IpVersion::k4 ? AF_INET : AF_INET6;
    std::erase_if(addresses, [family](const net::Address& address) { return address.family() != family; });
  }
  if (addresses.empty())
    return fail(fmt::format("\"{}\" has no address of IP version {}; choose \"both\" or another address",
                            listener.interface.empty() ? listener.address : listener.interface,
                            listener.ip == config::IpVersion::k4 ? "4" : "6"));
  return addresses;
}

std::uint16_t worker_count(const config::Config& config) {
  if (config.node.workers != 0) return config.node.workers;
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  return static_cast<std::uint16_t>(std::min<unsigned>({cores, broker::kWorkersMax, config.policy.shards}));
}

}  // namespace nightjar::cli
