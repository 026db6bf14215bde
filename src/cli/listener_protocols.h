// What a listener of the configuration speaks, for the network and in words.
#pragma once

#include <string>

#include "config/config.h"
#include "net/listener_protocols.h"

namespace nightjar::cli {

// Without TLS, which needs certificates that are loaded already. The configuration was checked.
net::ListenerProtocols protocols_of(const config::ListenerConfig& listener);

// "MQTT", "MQTT over WebSocket behind a proxy".
std::string describe_protocols(const config::ListenerConfig& listener);

}  // namespace nightjar::cli
