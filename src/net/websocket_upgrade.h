// The opening handshake of RFC 6455 on the server's side: the head of an HTTP request in, the answer out.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nightjar::net {

// What a listener allows.
struct WebSocketRules {
  // Web pages that may connect, as browsers name them: "https://plant.example"; empty: all. Programs other
  // than browsers send no Origin, or any they like, so these are not held back.
  std::vector<std::string> origins;
  std::size_t head_bytes_max = 16 * 1024;
};

struct WebSocketAnswer {
  bool is_accepted = false;
  std::string text;  // the whole HTTP response
};

// `head` is a request up to and with the empty line. Any path is taken. One of the subprotocols "mqtt" and
// "mqttv3.1" must be offered [MQTT-6.0.0-3], "mqtt" is preferred [MQTT-6.0.0-4].
WebSocketAnswer answer_websocket_upgrade(std::string_view head, const WebSocketRules& rules);

// The answer to a head that is longer than allowed, and to what is no HTTP at all.
std::string refuse_long_head(std::size_t bytes_max);
std::string refuse_garbage();

// Sec-WebSocket-Accept for a Sec-WebSocket-Key. Section 4.2.2.
std::string websocket_accept(std::string_view key);

}  // namespace nightjar::net
