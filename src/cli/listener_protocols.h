// What a listener of the configuration speaks, for the network and in words.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "net/listener_protocols.h"

namespace nightjar::cli {

// Without TLS, which needs certificates that are loaded already. The configuration was checked.
net::ListenerProtocols protocols_of(const config::ListenerConfig& listener);

struct SpokenProtocols {
  std::string words;  // "MQTT over WebSocket behind a proxy"
  // What `nightjar sub` and `nightjar pub` need beside the port; none: they cannot come this way.
  std::optional<std::string> client_options{};
};
SpokenProtocols describe_protocols(const config::ListenerConfig& listener);

}  // namespace nightjar::cli
