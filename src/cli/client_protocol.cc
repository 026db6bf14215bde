#include "cli/client_protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace nightjar::cli {
namespace {

using mqtt::PacketId;
using mqtt::PacketType;
using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;

// The fixed header of the largest packet: type, and four bytes of Remaining Length.
constexpr std::size_t kFixedHeaderBytesMax = 5;
// Messages in flight at once: enough to hide the round trip, few enough to find one by walking the list.
constexpr std::uint16_t kInflightMax = 256;

// The words of 3.1.1, table 3.1.
std::string describe_return_code(std::uint8_t code) {
  constexpr std::array<std::string_view, 6> kWords = {
      "accepted",           "unacceptable protocol version", "client identifier rejected",
      "server unavailable", "bad user name or password",     "not authorized",
  };
  if (code < kWords.size()) return fmt::format("{} (return code {})", kWords[code], code);
  return fmt::format("return code {}", code);
}

bool is_temporary(ReasonCode code) {
  switch (code) {
    case ReasonCode::kServerUnavailable:
    case ReasonCode::kServerBusy:
    case ReasonCode::kServerShuttingDown:
    case ReasonCode::kConnectionRateExceeded:
    case ReasonCode::kQuotaExceeded:
    case ReasonCode::kKeepAliveTimeout:
    case ReasonCode::kMaximumConnectTime:
      return true;
    default:
      return false;
  }
}

std::string_view reason_string(const mqtt::Properties& properties) {
  return properties.has(PropertyId::kReasonString) ? properties.reason_string : std::string_view{};
}

// Tells where else to go, when the broker said it.
std::string with_server_reference(std::string why, const mqtt::Properties& properties) {
  if (properties.has(PropertyId::kServerReference)) {
    why += fmt::format("; it names another server: {}", properties.server_reference);
  }
  return why;
}

void write_users(mqtt::PropertyWriter& out, const std::vector<NamedValue>& users) {
  for (const NamedValue& user : users) out.user(user.name, user.value);
}

ByteBuffer connect_properties(const ConnectionSettings& settings) {
  ByteBuffer encoded;
  mqtt::PropertyWriter out{encoded};
  if (settings.session_expiry_s) out.u32(PropertyId::kSessionExpiryInterval, *settings.session_expiry_s);
  if (settings.receive_maximum) out.u16(PropertyId::kReceiveMaximum, *settings.receive_maximum);
  if (settings.packet_bytes_max) out.u32(PropertyId::kMaximumPacketSize, *settings.packet_bytes_max);
  if (settings.topic_alias_maximum) out.u16(PropertyId::kTopicAliasMaximum, *settings.topic_alias_maximum);
  write_users(out, settings.user_properties);
  return encoded;
}

ByteBuffer will_properties(const WillSettings& will) {
  ByteBuffer encoded;
  mqtt::PropertyWriter out{encoded};
  if (will.delay_s) out.u32(PropertyId::kWillDelayInterval, *will.delay_s);
  write_properties(out, will.message.properties);
  return encoded;
}

ByteBuffer publish_properties(const OutgoingMessage& message, std::uint16_t topic_alias) {
  ByteBuffer encoded;
  mqtt::PropertyWriter out{encoded};
  if (topic_alias != 0) out.u16(PropertyId::kTopicAlias, topic_alias);
  write_properties(out, message.properties);
  return encoded;
}

}  // namespace

std::string describe(ReasonCode code, std::string_view reason_string) {
  std::string text = fmt::format("{} (0x{:02X})", mqtt::to_string(code), static_cast<unsigned>(code));
  if (!reason_string.empty()) text.append(": ").append(reason_string);
  return text;
}

ClientProtocol::ClientProtocol(const ConnectionSettings& settings)
    : settings_(settings), client_id_(settings.client_id) {}

void ClientProtocol::start() {
  input_.clear();
  output_.clear();
  aliases_.clear();
  sent_aliases_.clear();
  limits_ = {};
  is_connected_ = has_ended_ = awaits_pingresp_ = false;
  subscribe_id_ = {};
  keep_alive_s_ = settings_.keep_alive_s;

  mqtt::ConnectOut packet;
  packet.version = settings_.version;
  packet.clean_start = settings_.clean_start;
  // A 5.0 session that outlives its connection is the one to come back to.
  if (settings_.version == Version::k5 && was_connected_ && settings_.session_expiry_s.value_or(0) > 0) {
    packet.clean_start = false;
  }
  packet.keep_alive_s = settings_.keep_alive_s;
  packet.client_id = client_id_;
  packet.has_user_name = settings_.user_name.has_value();
  if (settings_.user_name) packet.user_name = *settings_.user_name;
  packet.has_password = settings_.password.has_value();
  if (settings_.password) packet.password = as_bytes(*settings_.password);
  const ByteBuffer properties = connect_properties(settings_);
  packet.properties = properties.view();
  ByteBuffer will_list;
  if (settings_.will) {
    const OutgoingMessage& will = settings_.will->message;
    will_list = will_properties(*settings_.will);
    packet.has_will = true;
    packet.will_topic = will.topic;
    packet.will_payload = as_bytes(will.payload);
    packet.will_qos = will.qos;
    packet.will_retain = will.retain;
    packet.will_properties = will_list.view();
  }
  mqtt::write_connect(output_, packet);
}

bool ClientProtocol::has_event() {
  while (events_.empty() && !has_ended_ && handle_next_frame()) {
  }
  return !events_.empty();
}

bool ClientProtocol::next_event(Event& event) {
  if (!has_event()) return false;
  event = std::move(events_.front());
  events_.pop_front();
  return true;
}

bool ClientProtocol::handle_next_frame() {
  const std::size_t packet_bytes_max =
      settings_.packet_bytes_max.value_or(mqtt::kRemainingLengthMax + kFixedHeaderBytesMax);
  const mqtt::FrameResult result = mqtt::next_frame(input_.view(), packet_bytes_max, settings_.version);
  if (result.state == mqtt::FrameState::kNeedMore) return false;
  if (result.state == mqtt::FrameState::kInvalid) {
    end_with(result.violation);
    return false;
  }
  handle(result.frame);
  input_.consume(result.frame.size);
  return true;
}

void ClientProtocol::handle(const mqtt::Frame& frame) {
  if (is_connected_ == (frame.type == PacketType::kConnack)) {
    return end_with({ReasonCode::kProtocolError, "expected one CONNACK, and first [MQTT-3.2.0-1]"});
  }
  switch (frame.type) {
    case PacketType::kConnack:
      return on_connack(frame);
    case PacketType::kPublish:
      return on_publish(frame);
    case PacketType::kPuback:
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
      return on_publish_ack(frame);
    case PacketType::kSuback:
      return on_suback(frame);
    case PacketType::kPingresp:
      awaits_pingresp_ = false;
      return;
    case PacketType::kDisconnect:
      return on_disconnect(frame);
    default:
      return end_with({ReasonCode::kProtocolError, "a packet that only a client may send"});
  }
}

void ClientProtocol::on_connack(const mqtt::Frame& frame) {
  // A broker without 5.0 answers in the form of 3.1.1: two bytes.
  const bool is_old_form = settings_.version == Version::k5 && frame.body.size() == 2;
  const Version version = is_old_form ? Version::k311 : settings_.version;
  const mqtt::Parsed<mqtt::Connack> connack = mqtt::read_connack(frame, version);
  if (!connack) return end_with(connack.error());

  if (version != Version::k5 && connack->return_code != 0) {
    has_ended_ = true;
    std::string why = describe_return_code(connack->return_code);
    if (connack->return_code == 1) why += "; try another version with -V";
    events_.emplace_back(Refused{std::move(why), connack->return_code == 3});
    return;
  }
  if (version == Version::k5 && connack->code != ReasonCode::kSuccess) {
    has_ended_ = true;
    events_.emplace_back(
        Refused{with_server_reference(describe(connack->code, reason_string(connack->properties)),
                                      connack->properties),
                is_temporary(connack->code)});
    return;
  }
  if (is_old_form) {
    return end_with(
        {ReasonCode::kProtocolError, "the broker answered a CONNECT of 5.0 as 3.1.1; try -V 3.1.1"});
  }
  if (version == Version::k5) take_limits(connack->properties);
  is_connected_ = was_connected_ = true;
  window_ = window_max_ = std::min(limits_.receive_maximum, kInflightMax);
  events_.emplace_back(Connected{connack->session_present});
  // CONNACK of 3.1 does not tell; a session that was asked for is taken as kept.
  const bool may_have_session =
      connack->session_present || (version == Version::k31 && !settings_.clean_start);
  if (!may_have_session) restart_session();
  resume();
}

void ClientProtocol::take_limits(const mqtt::Properties& properties) {
  if (properties.has(PropertyId::kReceiveMaximum)) limits_.receive_maximum = properties.receive_maximum;
  if (properties.has(PropertyId::kTopicAliasMaximum))
    limits_.topic_alias_maximum = properties.topic_alias_maximum;
  if (properties.has(PropertyId::kMaximumPacketSize))
    limits_.packet_bytes_max = properties.maximum_packet_size;
  if (properties.has(PropertyId::kMaximumQos)) limits_.maximum_qos = static_cast<Qos>(properties.maximum_qos);
  if (properties.has(PropertyId::kRetainAvailable))
    limits_.retain_available = properties.retain_available != 0;
  if (properties.has(PropertyId::kServerKeepAlive)) keep_alive_s_ = properties.server_keep_alive;
  if (properties.has(PropertyId::kAssignedClientIdentifier))
    client_id_ = properties.assigned_client_identifier;
}

// The broker kept nothing [MQTT-3.2.2-5]: what it had received completely is done, the rest starts anew.
void ClientProtocol::restart_session() {
  incoming_qos2_.clear();
  while (!inflight_.empty()) {
    const auto newest = std::prev(inflight_.end());
    if (newest->stage == Stage::kAwaitsPubcomp) {
      finish(newest, true, {});
      continue;
    }
    newest->stage = Stage::kUnsent;
    newest->dup = false;
    waiting_.push_front(std::move(*newest));
    inflight_.pop_back();
  }
}

// Sends again, in the original order, what was not acknowledged [MQTT-4.4.0-1], [MQTT-4.6.0-1].
void ClientProtocol::resume() {
  for (Outgoing& out : inflight_) {
    if (out.stage == Stage::kAwaitsPubcomp) {
      mqtt::write_publish_ack(output_, settings_.version, PacketType::kPubrel, out.packet_id);
    } else {
      out.stage = Stage::kUnsent;
      out.dup = true;
    }
  }
  send_waiting();
}

void ClientProtocol::publish(std::uint64_t number, OutgoingMessage message) {
  unfinished_bytes_ += message.topic.size() + message.payload.size();
  waiting_.push_back({.number = number, .message = std::move(message)});
  send_waiting();
}

void ClientProtocol::send_waiting() {
  if (!is_connected_) return;
  for (Outgoing& out : inflight_) {
    if (out.stage != Stage::kUnsent) continue;
    if (window_ == 0) return;
    --window_;
    send(out);
  }
  while (!waiting_.empty()) {
    Outgoing& next = waiting_.front();
    const bool has_id = next.message.qos != Qos::kAtMostOnce;
    std::string why = refusal(next.message);
    if (why.empty() && has_id && window_ == 0) return;
    inflight_.push_back(std::move(next));
    waiting_.pop_front();
    Outgoing& out = inflight_.back();
    if (!why.empty()) {
      finish(std::prev(inflight_.end()), false, std::move(why));
    } else if (has_id) {
      --window_;
      out.packet_id = next_packet_id();
      send(out);
    } else {
      send(out);
      finish(std::prev(inflight_.end()), true, {});
    }
  }
}

void ClientProtocol::send(Outgoing& out) {
  const OutgoingMessage& message = out.message;
  // A message sent again may meet a broker that now takes fewer aliases.
  const std::uint16_t alias = message.topic_alias <= limits_.topic_alias_maximum ? message.topic_alias : 0;
  const ByteBuffer properties = publish_properties(message, alias);
  mqtt::PublishOut packet;
  packet.dup = out.dup;
  packet.qos = message.qos;
  packet.retain = message.retain;
  packet.packet_id = out.packet_id;
  // Once an alias is known to the broker it stands for the topic [MQTT-3.3.2-8].
  const bool alias_is_known = alias != 0 && !sent_aliases_.insert(alias).second;
  if (!alias_is_known) packet.topic = message.topic;
  packet.properties = properties.view();
  packet.payload = as_bytes(message.payload);
  mqtt::write_publish(output_, settings_.version, packet);
  out.stage = Stage::kAwaitsAck;
}

std::string ClientProtocol::refusal(const OutgoingMessage& message) const {
  if (message.qos > limits_.maximum_qos) {
    return fmt::format("the broker takes at most QoS {}", static_cast<unsigned>(limits_.maximum_qos));
  }
  if (message.retain && !limits_.retain_available) return "the broker does not keep retained messages";
  if (message.topic_alias > limits_.topic_alias_maximum) {
    return limits_.topic_alias_maximum == 0
               ? "the broker takes no topic aliases"
               : fmt::format("the broker takes topic aliases up to {}", limits_.topic_alias_maximum);
  }
  const ByteBuffer properties = publish_properties(message, message.topic_alias);
  mqtt::PublishOut packet;
  packet.qos = message.qos;
  packet.topic = message.topic;
  packet.properties = properties.view();
  packet.payload = as_bytes(message.payload);
  const std::size_t size = mqtt::publish_size(settings_.version, packet);
  if (size <= std::min<std::size_t>(limits_.packet_bytes_max, mqtt::kRemainingLengthMax)) return {};
  return fmt::format("it takes {} bytes and the broker accepts packets of at most {}", size,
                     std::min<std::uint32_t>(limits_.packet_bytes_max, mqtt::kRemainingLengthMax));
}

void ClientProtocol::finish(const InFlight& entry, bool accepted, std::string why) {
  unfinished_bytes_ -= entry->message.topic.size() + entry->message.payload.size();
  events_.emplace_back(Published{entry->number, accepted, std::move(why)});
  inflight_.erase(entry);
}

void ClientProtocol::on_publish_ack(const mqtt::Frame& frame) {
  const mqtt::Parsed<mqtt::PublishAck> ack = mqtt::read_publish_ack(frame, settings_.version);
  if (!ack) return end_with(ack.error());
  if (ack->type == PacketType::kPubrel) return on_pubrel(ack->packet_id);

  const auto entry = find_inflight(ack->packet_id);
  const bool is_failure = static_cast<std::uint8_t>(ack->code) >= 0x80;
  if (ack->type == PacketType::kPubrec && !is_failure) {
    const bool is_known = entry != inflight_.end() && entry->message.qos == Qos::kExactlyOnce;
    if (is_known) entry->stage = Stage::kAwaitsPubcomp;
    return mqtt::write_publish_ack(output_, settings_.version, PacketType::kPubrel, ack->packet_id,
                                   is_known ? ReasonCode::kSuccess : ReasonCode::kPacketIdentifierNotFound);
  }
  // An acknowledgement of something long finished tells nothing new.
  if (entry == inflight_.end()) return;
  const Qos expected = ack->type == PacketType::kPuback ? Qos::kAtLeastOnce : Qos::kExactlyOnce;
  if (entry->message.qos != expected) {
    return end_with({ReasonCode::kProtocolError, "an acknowledgement of the wrong QoS"});
  }
  finish(entry, !is_failure,
         is_failure ? describe(ack->code, reason_string(ack->properties)) : std::string{});
  if (window_ < window_max_) ++window_;
  send_waiting();
}

void ClientProtocol::on_pubrel(PacketId id) {
  const bool is_known = incoming_qos2_.erase(id) == 1;
  mqtt::write_publish_ack(output_, settings_.version, PacketType::kPubcomp, id,
                          is_known ? ReasonCode::kSuccess : ReasonCode::kPacketIdentifierNotFound);
}

void ClientProtocol::on_publish(const mqtt::Frame& frame) {
  const mqtt::Parsed<mqtt::Publish> packet = mqtt::read_publish(frame, settings_.version);
  if (!packet) return end_with(packet.error());
  ReceivedMessage message = to_message(*packet);
  if (!resolve_alias(message)) {
    return end_with({ReasonCode::kTopicAliasInvalid, "a Topic Alias that was never set or is out of range"});
  }
  bool is_new = true;
  if (packet->qos == Qos::kAtLeastOnce) {
    mqtt::write_publish_ack(output_, settings_.version, PacketType::kPuback, packet->packet_id);
  } else if (packet->qos == Qos::kExactlyOnce) {
    is_new = incoming_qos2_.insert(packet->packet_id).second;
    if (incoming_qos2_.size() > settings_.receive_maximum.value_or(mqtt::kReceiveMaximumDefault)) {
      return end_with({ReasonCode::kReceiveMaximumExceeded, "more QoS 2 messages than our Receive Maximum"});
    }
    mqtt::write_publish_ack(output_, settings_.version, PacketType::kPubrec, packet->packet_id);
  }
  if (is_new) events_.emplace_back(std::move(message));
}

bool ClientProtocol::resolve_alias(ReceivedMessage& message) {
  if (message.topic_alias == 0) return !message.topic.empty();
  if (message.topic_alias > settings_.topic_alias_maximum.value_or(0)) return false;
  if (!message.topic.empty()) {
    aliases_[message.topic_alias] = message.topic;
    return true;
  }
  const auto known = aliases_.find(message.topic_alias);
  if (known == aliases_.end()) return false;
  message.topic = known->second;
  return true;
}

void ClientProtocol::subscribe(const SubscribeSettings& request) {
  std::vector<mqtt::SubscriptionRequest> requests;
  for (const std::string& filter : request.filters) {
    requests.push_back({.filter = filter,
                        .qos = request.qos,
                        .no_local = request.no_local,
                        .retain_as_published = request.retain_as_published,
                        .retain_handling = request.retain_handling});
  }
  ByteBuffer properties;
  mqtt::PropertyWriter out{properties};
  if (request.subscription_id) out.varint(PropertyId::kSubscriptionIdentifier, *request.subscription_id);
  write_users(out, request.user_properties);
  subscribe_id_ = next_packet_id();
  mqtt::write_subscribe(output_, settings_.version, subscribe_id_, requests, properties.view());
}

void ClientProtocol::on_suback(const mqtt::Frame& frame) {
  const mqtt::Parsed<mqtt::Suback> suback = mqtt::read_suback(frame, settings_.version);
  if (!suback) return end_with(suback.error());
  if (suback->packet_id != subscribe_id_) {
    return end_with({ReasonCode::kProtocolError, "a SUBACK that nobody asked for"});
  }
  subscribe_id_ = {};
  events_.emplace_back(Subscribed{suback->codes, std::string{reason_string(suback->properties)}});
}

void ClientProtocol::ping() {
  mqtt::write_pingreq(output_);
  awaits_pingresp_ = true;
}

void ClientProtocol::disconnect(ReasonCode code) {
  mqtt::write_disconnect(output_, settings_.version, code);
  is_connected_ = false;
  has_ended_ = true;
}

void ClientProtocol::on_disconnect(const mqtt::Frame& frame) {
  if (settings_.version != Version::k5) {
    return end_with({ReasonCode::kProtocolError, "a DISCONNECT, which a 3.x broker never sends"});
  }
  const mqtt::Parsed<mqtt::Disconnect> packet =
      mqtt::read_disconnect(frame, settings_.version, mqtt::Sender::kServer);
  if (!packet) return end_with(packet.error());
  is_connected_ = false;
  has_ended_ = true;
  std::string why =
      "the broker ended the connection: " + describe(packet->code, reason_string(packet->properties));
  events_.emplace_back(
      Ended{with_server_reference(std::move(why), packet->properties), is_temporary(packet->code)});
}

void ClientProtocol::end_with(const mqtt::Violation& violation) {
  if (is_connected_ && settings_.version == Version::k5) {
    mqtt::write_disconnect(output_, settings_.version, violation.code);
  }
  is_connected_ = false;
  has_ended_ = true;
  events_.emplace_back(Ended{fmt::format("the broker broke the protocol: {}", violation.why), false});
}

ClientProtocol::InFlight ClientProtocol::find_inflight(PacketId id) {
  return std::find_if(inflight_.begin(), inflight_.end(),
                      [id](const Outgoing& out) { return out.packet_id == id; });
}

// The next id that no message in flight uses; never 0 [MQTT-2.2.1-3]. kInflightMax leaves most of them free.
PacketId ClientProtocol::next_packet_id() {
  do {
    if (++last_packet_id_ == 0) last_packet_id_ = 1;
  } while (find_inflight({last_packet_id_}) != inflight_.end() || subscribe_id_ == PacketId{last_packet_id_});
  return {last_packet_id_};
}

}  // namespace nightjar::cli
