#include "net/detecting_filter.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "net/passing_bytes.h"
#include "net/stacked_filter.h"
#include "net/websocket_filter.h"

namespace nightjar::net {
namespace {

// What a client would have to do, and what the operator could do, by what the listener wants and what came.
std::string_view remedy(FirstBytes came, const ListenerProtocols& spoken, bool is_inside_tls) {
  if (came == FirstBytes::kProxy) {
    return "it does not expect one; say enabled = true in [listener.proxy], or let the balancer send none";
  }
  if (came == FirstBytes::kTls) {
    return "it has no certificate; let the client connect without TLS, or give the listener a certificate in "
           "[listener.tls]";
  }
  if (spoken.requires_tls && !is_inside_tls) {
    return came == FirstBytes::kHttp
               ? "it wants TLS; use a wss:// address in the client, or another listener"
               : "it wants TLS; use TLS in the client (mqtts://, often port 8883), or another listener";
  }
  if (came == FirstBytes::kHttp) {
    return "it speaks MQTT without WebSocket; use an mqtt:// address in the client, or say protocol = "
           "\"websocket\" or \"auto\" in the [[listener]]";
  }
  return "it speaks MQTT over WebSocket only; use a ws:// address in the client, or say protocol = \"mqtt\" "
         "or "
         "\"auto\" in the [[listener]]";
}

std::string_view name_of(FirstBytes came) {
  switch (came) {
    case FirstBytes::kProxy:
      return "a PROXY header";
    case FirstBytes::kTls:
      return "a TLS handshake";
    case FirstBytes::kHttp:
      return "an HTTP request, as WebSocket begins,";
    default:
      return "plain MQTT";
  }
}

}  // namespace

DetectingFilter::DetectingFilter(std::shared_ptr<const DetectionRules> rules, Layer layer,
                                 const PeerAddress& peer)
    : rules_(std::move(rules)), peer_(peer), layer_(layer) {}

bool DetectingFilter::receive(ByteView wire) {
  if (chosen_ != nullptr) return chosen_->receive(wire);
  if (rules_ == nullptr) {
    plain_.append(wire);
    return true;
  }
  FirstBytes what = FirstBytes::kNeedMore;
  if (plain_.empty()) {
    what = recognize(wire);
  } else {
    plain_.append(wire);
    what = recognize(plain_.view());
  }
  if (what == FirstBytes::kNeedMore) {
    if (plain_.empty()) plain_.append(wire);
    return true;
  }
  if (!choose(what)) return false;
  if (chosen_ == nullptr) {
    if (plain_.empty()) plain_.append(wire);
    return true;
  }
  if (plain_.empty()) return chosen_->receive(wire);
  ByteBuffer first;
  first.swap(plain_);
  return chosen_->receive(first.view());
}

bool DetectingFilter::is_spoken(FirstBytes what) const {
  const ListenerProtocols& protocols = rules_->protocols;
  if (what == FirstBytes::kTls) return layer_ == Layer::kOutside && protocols.tls;
  if (what == FirstBytes::kProxy) return false;
  if (what == FirstBytes::kOther) return true;
  if (protocols.requires_tls && layer_ == Layer::kOutside) return false;
  return what == FirstBytes::kHttp ? rules_->websocket != nullptr : protocols.has_mqtt;
}

// What nobody recognizes is refused by the protocol that is expected, in its own words.
FirstBytes DetectingFilter::expected() const {
  if (rules_->protocols.requires_tls && layer_ == Layer::kOutside) return FirstBytes::kTls;
  return rules_->protocols.has_mqtt ? FirstBytes::kMqtt : FirstBytes::kHttp;
}

// False: the listener does not speak it.
bool DetectingFilter::choose(FirstBytes what) {
  if (!is_spoken(what)) {
    complain(what);
    plain_.release();
    return false;
  }
  if (what == FirstBytes::kOther) what = expected();
  if (what == FirstBytes::kTls) {
    chosen_ = std::make_unique<StackedFilter>(
        rules_->protocols.tls(peer_), std::make_unique<DetectingFilter>(rules_, Layer::kInsideTls, peer_));
  } else if (what == FirstBytes::kHttp) {
    chosen_ = std::make_unique<WebSocketFilter>(rules_->websocket);
  }
  rules_.reset();
  return true;
}

void DetectingFilter::complain(FirstBytes what) const {
  const ListenerProtocols& spoken = rules_->protocols;
  const auto index = static_cast<std::size_t>(what) - static_cast<std::size_t>(FirstBytes::kMqtt);
  rules_->complaints.at(index).warn(
      fmt::format("{} sent {} to listener {}, and was closed: {}", peer_.text(), name_of(what), spoken.name,
                  remedy(what, spoken, layer_ == Layer::kInsideTls)),
      spoken.name);
}

bool DetectingFilter::has_plain() const {
  return chosen_ != nullptr ? chosen_->has_plain() : rules_ == nullptr && !plain_.empty();
}

ByteView DetectingFilter::next_plain() {
  if (chosen_ != nullptr) return chosen_->next_plain();
  return rules_ == nullptr ? PassingBytes::hand_out(plain_) : ByteView{};
}

void DetectingFilter::send(ByteView plain) {
  if (chosen_ != nullptr) return chosen_->send(plain);
  if (rules_ == nullptr) wire_.append(plain);
}

void DetectingFilter::finish() {
  if (chosen_ != nullptr) chosen_->finish();
}

bool DetectingFilter::is_transparent() const {
  return chosen_ != nullptr ? chosen_->is_transparent() : rules_ == nullptr;
}

}  // namespace nightjar::net
