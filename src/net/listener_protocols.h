// What the clients of one listener may speak, and the filters that this takes: PROXY header, TLS, WebSocket,
// each found by the first bytes where there is a choice. Who speaks something else is closed with a line in
// the log that says what came and what to do. Made at start; the factory may be called by any worker.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "net/proxy_filter.h"
#include "net/stream_filter.h"
#include "net/websocket_upgrade.h"

namespace nightjar::net {

struct ListenerProtocols {
  std::string name;  // of the listener
  bool has_mqtt = true;
  std::optional<WebSocketRules> websocket{};                                    // none: not spoken
  std::function<std::unique_ptr<StreamFilter>(const PeerAddress& peer)> tls{};  // empty: not spoken
  bool requires_tls = false;
  std::optional<ProxyRules> proxy{};  // none: peers speak for themselves
};

FilterFactory make_filter_factory(ListenerProtocols protocols);

}  // namespace nightjar::net
