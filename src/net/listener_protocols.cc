#include "net/listener_protocols.h"

#include <utility>

#include "net/detecting_filter.h"
#include "net/stacked_filter.h"

namespace nightjar::net {

FilterFactory make_filter_factory(ListenerProtocols protocols) {
  std::shared_ptr<const ProxyFilter::Shared> proxy;
  if (protocols.proxy) {
    auto made = std::make_shared<ProxyFilter::Shared>();
    made->listener = protocols.name;
    made->rules = *protocols.proxy;
    proxy = std::move(made);
  }
  auto rules = std::make_shared<DetectionRules>();
  if (protocols.websocket) rules->websocket = std::make_shared<const WebSocketRules>(*protocols.websocket);
  rules->protocols = std::move(protocols);
  return [rules = std::shared_ptr<const DetectionRules>(std::move(rules)),
          proxy](const Address& peer) -> std::unique_ptr<StreamFilter> {
    auto detecting =
        std::make_unique<DetectingFilter>(rules, DetectingFilter::Layer::kOutside, PeerAddress(peer));
    if (proxy == nullptr) return detecting;
    return std::make_unique<StackedFilter>(std::make_unique<ProxyFilter>(proxy, peer), std::move(detecting));
  };
}

}  // namespace nightjar::net
