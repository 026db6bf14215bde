#include "tests/sim/actor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "broker/worker_state.h"

namespace nightjar::sim {
namespace {

using mqtt::PacketType;
using mqtt::Qos;
using mqtt::Version;

constexpr const char* kGroupFilter = "$share/g/s/#";
constexpr std::array<const char*, 8> kFilters{"t/#", "t/+/a", "t/1/+", "t/1/a", "t/+/+", "r/#", "r/+", "r/3"};
// Unacknowledged publications a client keeps, well below the server's Receive Maximum.
constexpr std::size_t kOutgoingMax = 20;

}  // namespace

Actor::Actor(Stage& stage, std::size_t number, Role role)
    : stage_(stage), number_(number), role_(std::move(role)), client_(stage.world, role_.id) {}

void Actor::act() {
  if (state_ == State::kOff) {
    if (role_.is_watcher || stage_.world.below(3) == 0) connect(stage_.world.below(7) == 0);
    return;
  }
  if (!role_.is_slow || stage_.world.below(6) == 0) {
    for (std::uint64_t n = stage_.world.below(6); n > 0 && read_one(); --n) {
    }
    if (role_.is_watcher) read_all();
  }
  if (state_ == State::kOff) return;  // the broker said goodbye
  if (client_.is_closed()) {
    lose_link();
    return;
  }
  const std::uint64_t dice = stage_.world.below(1000);
  if (state_ == State::kConnecting) {
    if (dice < 30 && !role_.is_watcher) lose_link();
    return;
  }
  if (state_ != State::kOn) return;
  if (dice < 400) return publish();
  if (dice < 450) return subscribe();
  if (dice < 480) return unsubscribe();
  if (dice < 520) return ping();
  if (role_.is_watcher) return;
  if (dice < 540) return lose_link();
  if (dice < 550) return disconnect();
  if (dice < 565) return connect(stage_.world.below(7) == 0);  // takes its own session over
}

void Actor::connect(bool wants_clean) {
  testing::World& world = stage_.world;
  if (state_ != State::kOff) {
    close_will(false, role_.expiry_s == 0);
    expect_delayed_will();
    left_at_ = world.now();
    if (state_ == State::kConnecting && may_lose_session()) must_start_clean_ = true;
    forget_connection();
    // The old link stays up; the broker has to end it.
  }
  // In 3.x a clean session is one that ends with its connection: a keeper never asks for it.
  const bool may_ask = !role_.is_member && (role_.version == Version::k5 || role_.expiry_s == 0);
  asked_clean_ = must_start_clean_ || (wants_clean && may_ask);
  if (role_.version != Version::k5 && role_.expiry_s == 0) asked_clean_ = true;
  testing::ConnectOptions options{.version = role_.version,
                                  .clean_start = asked_clean_,
                                  .worker = static_cast<std::uint16_t>(world.below(world.worker_count()))};
  if (role_.version == Version::k5) {
    options.session_expiry_s = role_.expiry_s;
    if (role_.receive_maximum != 0) options.receive_maximum = role_.receive_maximum;
    if (world.below(2) == 0) options.topic_alias_maximum = static_cast<std::uint16_t>(world.below(4));
  }
  // A graceful end counts as such if the broker has certainly read it.
  if (graceful_at_ != 0 && stage_.settled_at > graceful_at_ && !stage_.wills.empty()) close_will(true, true);
  graceful_at_ = 0;
  has_ghost_ = ghost_at_ != 0 && stage_.settled_at <= ghost_at_;
  has_will_ = !role_.is_watcher && world.below(2) == 0;
  is_will_armed_ = false;
  if (has_will_) {
    will_delay_s_ = role_.version == Version::k5 && world.below(2) == 0 ? 20 : 0;
    const std::size_t index = stage_.model.publish({.publisher = 100'000 + stage_.wills.size(),
                                                    .topic = "w/" + role_.id,
                                                    .qos = Qos::kAtLeastOnce,
                                                    .sent = stage_.now});
    stage_.wills.push_back({.publication = index});
    testing::WillOptions will{
        .topic = "w/" + role_.id, .payload = std::to_string(index), .qos = Qos::kAtLeastOnce};
    if (role_.version == Version::k5) will.delay_s = will_delay_s_;
    options.will = will;
  }
  client_.connect(options);
  if (role_.is_slow) client_.wire().capacity = 700;
  if (world.below(4) == 0) ping();  // does not wait for CONNACK
  state_ = State::kConnecting;
}

// What the will of the present connection may come to, now that the connection ends.
void Actor::close_will(bool is_graceful, bool session_ends) {
  if (!has_will_) return;
  for (auto at = stage_.wills.rbegin(); at != stage_.wills.rend(); ++at) {
    if (stage_.model.at(at->publication).topic == "w/" + role_.id) {
      if (is_graceful && !stage_.model.may_disconnect && !has_ghost_) {
        at->most = 0;
      } else if (!is_graceful && is_will_armed_ && (will_delay_s_ == 0 || session_ends)) {
        at->least = 1;
      }
      break;
    }
  }
}

// A connection is lost. Where the broker may have ended it, or not have begun it, the time is uncertain.
void Actor::expect_delayed_will() {
  delayed_will_.reset();
  if (!has_will_ || !is_will_armed_ || will_delay_s_ == 0 || client_.wire().broker_closed) return;
  for (std::size_t record = stage_.wills.size(); record-- > 0;) {
    if (stage_.model.at(stage_.wills[record].publication).topic != "w/" + role_.id) continue;
    delayed_will_ = {record, stage_.world.now() + Duration::seconds(will_delay_s_)};
    return;
  }
}

// A session that is resumed in time calls off the will of the connection before [MQTT-3.1.3-9].
void Actor::check_delayed_will() {
  const std::optional<DelayedWill> delayed = std::exchange(delayed_will_, {});
  // A CONNECT that was overtaken may have begun the session anew in between, which ends the delay.
  const bool is_certain = client_.session_present && !has_ghost_ && !stage_.model.may_disconnect;
  if (delayed && is_certain && stage_.world.now() < delayed->due) stage_.wills[delayed->record].most = 0;
}

void Actor::forget_connection() {
  for (const Outgoing& out : outgoing_) stage_.model.at(out.publication).was_resent = true;
  unconfirmed_.clear();
  pings_.clear();
  subscribing_.clear();
  unsubscribing_.clear();
  if (state_ == State::kConnecting) ghost_at_ = stage_.now;
  state_ = State::kOff;
}

void Actor::lose_link() {
  close_will(false, role_.expiry_s == 0);
  expect_delayed_will();
  left_at_ = stage_.world.now();
  if (state_ == State::kConnecting && may_lose_session()) must_start_clean_ = true;
  client_.drop_link();
  forget_connection();
}

void Actor::disconnect() {
  left_at_ = stage_.world.now();
  graceful_at_ = stage_.now;
  client_.disconnect();
  forget_connection();
}

std::size_t Actor::send_publication(const std::string& topic, Qos qos, bool retain) {
  const std::size_t index = stage_.model.publish(
      {.publisher = number_, .topic = topic, .qos = qos, .retain = retain, .sent = stage_.now});
  testing::PublishOptions options{.qos = qos, .retain = retain};
  if (qos == Qos::kAtMostOnce) {
    unconfirmed_.push_back(index);
  } else {
    while (std::any_of(outgoing_.begin(), outgoing_.end(),
                       [&](const Outgoing& o) { return o.packet_id == client_.next_packet_id; }) ||
           client_.next_packet_id == 0) {
      ++client_.next_packet_id;
    }
    options.packet_id = client_.next_packet_id++;
    outgoing_.push_back({*options.packet_id, index, false});
  }
  client_.publish(topic, std::to_string(index), options);
  return index;
}

void Actor::publish() {
  testing::World& world = stage_.world;
  for (std::uint64_t burst = world.below(4); burst > 0; --burst) {
    if (outgoing_.size() >= kOutgoingMax) return;
    const auto qos = static_cast<Qos>(world.below(3));
    const std::uint64_t kind = world.below(10);
    if (kind < 6) {
      const auto leaf = world.below(2) == 0 ? "a" : "b";
      send_publication(fmt::format("t/{}/{}", world.below(3), leaf), qos, false);
    } else if (kind < 8) {
      send_publication(fmt::format("s/{}", world.below(3)), qos, false);
    } else {
      // A retained topic has one writer, which keeps to one QoS, so that its last value is certain: a QoS 1
      // message that is sent again would overtake a QoS 2 message that is not.
      send_publication(fmt::format("r/{}", number_), number_ % 2 == 0 ? Qos::kExactlyOnce : Qos::kAtLeastOnce,
                       true);
    }
  }
}

void Actor::subscribe_to(const std::string& filter, Qos qos) {
  subscribing_[client_.next_packet_id] = epoch_.subscriptions.size();
  epoch_.subscriptions.push_back({.filter = filter, .qos = qos, .sent = stage_.now});
  client_.subscribe(filter, qos);
}

void Actor::subscribe() {
  testing::World& world = stage_.world;
  const std::string filter = kFilters[world.below(kFilters.size())];
  const bool has_it =
      std::any_of(epoch_.subscriptions.begin(), epoch_.subscriptions.end(),
                  [&](const Subscription& s) { return s.filter == filter && s.gone == kOpen; });
  // A second SUBSCRIBE would change the QoS of what is on its way.
  if (has_it || role_.is_watcher) return;
  subscribe_to(filter, static_cast<Qos>(world.below(3)));
}

void Actor::unsubscribe() {
  if (role_.is_watcher || epoch_.subscriptions.empty()) return;
  const Subscription& chosen = epoch_.subscriptions[stage_.world.below(epoch_.subscriptions.size())];
  if (chosen.acknowledged == kOpen || chosen.unsubscribe_sent != kOpen) return;
  if (role_.is_member && mqtt::Version::k5 == role_.version && chosen.filter == kGroupFilter) return;
  if (role_.is_anchor) return;
  const std::string filter = chosen.filter;
  unsubscribing_[client_.next_packet_id] = filter;
  for (Subscription& s : epoch_.subscriptions) {
    if (s.filter == filter && s.unsubscribe_sent == kOpen) s.unsubscribe_sent = stage_.now;
  }
  client_.unsubscribe(filter);
}

void Actor::ping() {
  pings_.push_back(stage_.now);
  client_.ping();
}

void Actor::read_all() {
  while (read_one()) {
  }
}

bool Actor::read_one() {
  if (state_ == State::kOff || !client_.poll_one()) return false;
  switch (client_.log.back()) {
    case PacketType::kConnack:
      on_connack();
      break;
    case PacketType::kPublish:
      on_publish(client_.received.back());
      break;
    case PacketType::kPuback:
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
      on_ack(client_.acks.back());
      break;
    case PacketType::kSuback:
      on_suback(client_.subacks.back());
      break;
    case PacketType::kUnsuback:
      on_unsuback(client_.unsubacks.back());
      break;
    case PacketType::kPingresp: {
      const Tick sent = pings_.front();
      pings_.pop_front();
      for (const std::size_t index : unconfirmed_) {
        Publication& p = stage_.model.at(index);
        if (p.sent < sent && p.acknowledged == kOpen) p.acknowledged = stage_.now;
      }
      break;
    }
    case PacketType::kDisconnect:
      lose_link();
      break;
    default:
      break;
  }
  client_.log.clear();
  client_.received.clear();
  client_.acks.clear();
  client_.subacks.clear();
  client_.unsubacks.clear();
  return true;
}

void Actor::check_session_present() {
  if (asked_clean_ && client_.session_present)
    throw Violation(role_.id + ": Session Present after a clean start");
  if (role_.expiry_s == 0 && client_.session_present)
    throw Violation(role_.id + ": a session of expiry 0 survived");
  // Who was disconnected for a full queue was gone before it noticed.
  const bool should_be_there = has_session_ && !stage_.model.may_disconnect && !asked_clean_ &&
                               role_.expiry_s != 0 &&
                               stage_.world.now() - left_at_ < Duration::seconds(role_.expiry_s);
  if (should_be_there && !client_.session_present) throw Violation(role_.id + ": its session is lost");
}

void Actor::on_connack() {
  // Its CONNECT of an earlier link, which another worker read later, is served.
  if (client_.connack_code == mqtt::ReasonCode::kUnspecifiedError) return lose_link();
  if (client_.connack_code != mqtt::ReasonCode::kSuccess) throw Violation(role_.id + ": refused");
  check_session_present();
  state_ = State::kOn;
  must_start_clean_ = false;
  has_session_ = true;
  is_will_armed_ = true;
  check_delayed_will();
  if (!client_.session_present) {
    for (const Outgoing& out : outgoing_) stage_.model.at(out.publication).is_lost_track = true;
    outgoing_.clear();
    epoch_ = {};
    if (role_.is_watcher) {
      for (const char* filter : {"t/#", "r/#", "w/#"}) subscribe_to(filter, Qos::kExactlyOnce);
    }
    if (role_.is_member) subscribe_to(kGroupFilter, Qos::kExactlyOnce);
    return;
  }
  send_again();
}

void Actor::send_again() {
  for (const Outgoing& out : outgoing_) {
    const Publication& p = stage_.model.at(out.publication);
    if (out.is_released) {
      client_.acknowledge(PacketType::kPubrel, {out.packet_id});
    } else {
      client_.publish(p.topic, std::to_string(out.publication),
                      {.qos = p.qos, .retain = p.retain, .dup = true, .packet_id = out.packet_id});
    }
  }
}

void Actor::on_publish(const testing::Received& message) {
  if (message.qos == Qos::kExactlyOnce && !epoch_.incoming_ids.insert(message.packet_id.value).second) {
    if (!message.dup) throw Violation(role_.id + ": a QoS 2 packet id was used again before its release");
    return;
  }
  const std::size_t index = std::stoul(message.payload);
  if (role_.is_watcher && message.topic.starts_with("w/")) ++stage_.model.wills[index];
  stage_.model.receive(role_.id, epoch_,
                       {.publication = index,
                        .topic = message.topic,
                        .qos = message.qos,
                        .retain = message.retain,
                        .dup = message.dup},
                       stage_.now);
}

void Actor::on_ack(const testing::Client::Ack& ack) {
  if (ack.type == PacketType::kPubrel) {
    epoch_.incoming_ids.erase(ack.packet_id.value);
    return;
  }
  const auto out = std::find_if(outgoing_.begin(), outgoing_.end(),
                                [&](const Outgoing& o) { return o.packet_id == ack.packet_id.value; });
  if (out == outgoing_.end()) throw Violation(role_.id + ": an acknowledgement of nothing");
  Publication& publication = stage_.model.at(out->publication);
  const bool is_error = static_cast<std::uint8_t>(ack.code) >= 0x80;
  if (ack.type == PacketType::kPubcomp) {
    outgoing_.erase(out);
    return;
  }
  if (is_error) {
    publication.is_lost_track = true;
    outgoing_.erase(out);
    return;
  }
  if (publication.acknowledged == kOpen) publication.acknowledged = stage_.now;
  if (ack.type == PacketType::kPuback) {
    // Acknowledgements come in the order of the messages [MQTT-4.6.0-2].
    const bool is_first = std::none_of(outgoing_.begin(), out, [&](const Outgoing& o) {
      return stage_.model.at(o.publication).qos == Qos::kAtLeastOnce;
    });
    if (!is_first) throw Violation(role_.id + ": PUBACK out of order");
    outgoing_.erase(out);
  } else {
    out->is_released = true;
  }
}

void Actor::on_suback(const testing::Client::SubAnswer& answer) {
  const auto found = subscribing_.find(answer.packet_id.value);
  if (found == subscribing_.end()) throw Violation(role_.id + ": a SUBACK of nothing");
  Subscription& s = epoch_.subscriptions.at(found->second);
  if (answer.codes.at(0) != static_cast<mqtt::ReasonCode>(s.qos))
    throw Violation(role_.id + ": QoS not granted");
  s.acknowledged = stage_.now;
  if (s.filter == kGroupFilter && shared_since_ == kOpen) shared_since_ = stage_.now;
  subscribing_.erase(found);
}

void Actor::on_unsuback(const testing::Client::SubAnswer& answer) {
  const auto found = unsubscribing_.find(answer.packet_id.value);
  if (found == unsubscribing_.end()) throw Violation(role_.id + ": an UNSUBACK of nothing");
  for (Subscription& s : epoch_.subscriptions) {
    if (s.filter == found->second && s.gone == kOpen) s.gone = stage_.now;
  }
  unsubscribing_.erase(found);
}

void Actor::stay_away() {
  if (state_ != State::kOff) lose_link();
}

void Actor::come_back() {
  if (state_ == State::kOff) connect(false);
  if (state_ != State::kOff) client_.wire().capacity = 1 << 20;
  read_all();
  if (state_ != State::kOff && client_.is_closed()) lose_link();
}

std::string Actor::describe() const {
  constexpr const char* kNames[] = {"off", "connecting", "connected"};
  std::string text = fmt::format("{} ({}", role_.id, kNames[static_cast<int>(state_)]);
  for (const Outgoing& out : outgoing_) {
    text += fmt::format(", waits for {} of {}", out.is_released ? "PUBCOMP" : "an answer", out.publication);
  }
  return text + ")";
}

void Actor::check_at_end() {
  const broker::Session* session = nullptr;
  for (std::uint16_t w = 0; w < stage_.world.worker_count(); ++w) {
    if (const auto* found = stage_.world.worker(w).state().find_session(role_.id)) session = found;
  }
  if (session == nullptr) throw Violation(role_.id + ": no session at the end");
  std::uint64_t dropped = 0;
  if (session->drops) {
    for (const std::uint32_t count : *session->drops) dropped += count;
  }
  if (!session->in_flight.empty()) throw Violation(role_.id + ": exchanges that never end");
  if (!pings_.empty()) throw Violation(role_.id + ": PINGREQ without an answer");
  if (!subscribing_.empty() || !unsubscribing_.empty())
    throw Violation(role_.id + ": SUBSCRIBE without an answer");
  std::string example;
  const std::uint64_t missing = stage_.model.missing(epoch_, role_.is_watcher, example);
  if (missing > dropped) {
    throw Violation(fmt::format("{} misses {} messages, {} were dropped and counted; the first is {}",
                                role_.id, missing, dropped, example));
  }
  if (dropped == 0) stage_.model.check_last_values(role_.id, epoch_);
}

}  // namespace nightjar::sim
