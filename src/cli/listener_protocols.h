// What a listener of the configuration speaks, for the network and in words.
#pragma once

#include <optional>
#include <string>

#include "cli/tls_listeners.h"
#include "config/config.h"
#include "net/listener_protocols.h"

namespace nightjar::cli {

// The configuration was checked. `tls` is empty if the listener has none.
net::ListenerProtocols protocols_of(const config::ListenerConfig& listener, TlsListeners::MakeFilter tls);

struct SpokenProtocols {
  std::string words;  // "MQTT over WebSocket behind a proxy"
  // What `nightjar sub` and `nightjar pub` need beside the port; none: they cannot come this way.
  std::optional<std::string> client_options{};
};
SpokenProtocols describe_protocols(const config::ListenerConfig& listener);

}  // namespace nightjar::cli
