#include "cli/listener_protocols.h"

#include <utility>

namespace nightjar::cli {

net::ListenerProtocols protocols_of(const config::ListenerConfig& listener, TlsListeners::MakeFilter tls) {
  using config::Protocol;
  net::ListenerProtocols protocols{
      .name = listener.policy.name,
      .has_mqtt = listener.protocol != Protocol::kWebSocket,
      .tls = std::move(tls),
      .requires_tls = listener.tls.is_on() && listener.protocol != Protocol::kAuto};
  if (listener.protocol != Protocol::kMqtt) {
    protocols.websocket = net::WebSocketRules{.origins = listener.websocket.origins,
                                              .head_bytes_max = listener.websocket.headers_bytes_max};
  }
  if (listener.proxy.is_on) {
    protocols.proxy = net::ProxyRules{
        .version = static_cast<std::uint8_t>(listener.proxy.version),  // in the order of the enumeration
        .requires_tls = listener.proxy.requires_tls,
        // Whoever ends TLS sees the certificate.
        .requires_certificate =
            !listener.tls.is_on() && listener.tls.client_certificate == config::ClientCertificate::kRequired};
    for (const std::string& network : listener.proxy.trusted) {
      protocols.proxy->trusted.push_back(net::Network::parse(network).value());
    }
  }
  return protocols;
}

SpokenProtocols describe_protocols(const config::ListenerConfig& listener) {
  using config::Protocol;
  const bool has_tls = listener.tls.is_on();
  SpokenProtocols spoken;
  switch (listener.protocol) {
    case Protocol::kMqtt:
      spoken.words = has_tls ? "MQTT over TLS" : "MQTT";
      break;
    case Protocol::kWebSocket:
      spoken.words = has_tls ? "MQTT over secure WebSocket" : "MQTT over WebSocket";
      break;
    case Protocol::kAuto:
      spoken.words = has_tls ? "MQTT and WebSocket, with and without TLS" : "MQTT and WebSocket";
      break;
  }
  if (listener.proxy.is_on) {
    spoken.words += " behind a proxy";
  } else if (!has_tls || listener.protocol == Protocol::kAuto) {
    spoken.client_options = listener.protocol == Protocol::kWebSocket ? " --ws" : "";
    if (!listener.unix_path.empty()) *spoken.client_options += " --unix " + listener.unix_path;
  }
  return spoken;
}

}  // namespace nightjar::cli
