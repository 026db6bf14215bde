#include "tests/support/client.h"

#include <stdexcept>

namespace nightjar::testing {
namespace {

using mqtt::PacketType;
using mqtt::PropertyId;

ByteBuffer connect_properties(const ConnectOptions& options) {
  ByteBuffer out;
  mqtt::PropertyWriter writer{out};
  if (options.session_expiry_s) writer.u32(PropertyId::kSessionExpiryInterval, *options.session_expiry_s);
  if (options.receive_maximum) writer.u16(PropertyId::kReceiveMaximum, *options.receive_maximum);
  if (options.packet_bytes_max) writer.u32(PropertyId::kMaximumPacketSize, *options.packet_bytes_max);
  if (options.topic_alias_maximum) writer.u16(PropertyId::kTopicAliasMaximum, *options.topic_alias_maximum);
  if (options.request_problem_information) {
    writer.u8(PropertyId::kRequestProblemInformation, *options.request_problem_information);
  }
  if (options.auth_method) writer.text(PropertyId::kAuthenticationMethod, *options.auth_method);
  if (options.auth_data) writer.binary(PropertyId::kAuthenticationData, as_bytes(*options.auth_data));
  return out;
}

ByteBuffer will_properties(const ConnectOptions& options) {
  ByteBuffer out;
  mqtt::PropertyWriter writer{out};
  if (!options.will) return out;
  if (options.will->delay_s) writer.u32(PropertyId::kWillDelayInterval, *options.will->delay_s);
  if (options.will->expiry_s) writer.u32(PropertyId::kMessageExpiryInterval, *options.will->expiry_s);
  return out;
}

std::string reason_of(const mqtt::Properties& properties) {
  return std::string{properties.has(PropertyId::kReasonString) ? properties.reason_string
                                                               : std::string_view{}};
}

}  // namespace

Client::Client(World& world, std::string client_id) : world_(world), client_id_(std::move(client_id)) {}

void Client::connect(const ConnectOptions& options) {
  if (wire_) drop_link();
  wire_ = world_.dial(options.worker);
  version_ = options.version;
  connack_code.reset();
  disconnect_code.reset();
  session_present = false;
  aliases_.clear();
  const ByteBuffer properties = connect_properties(options);
  const ByteBuffer of_will = will_properties(options);
  mqtt::ConnectOut out{.version = options.version,
                       .clean_start = options.clean_start,
                       .keep_alive_s = options.keep_alive_s,
                       .client_id = client_id_,
                       .properties = properties.view()};
  if (options.will) {
    out.has_will = true;
    out.will_topic = options.will->topic;
    out.will_payload = as_bytes(options.will->payload);
    out.will_qos = options.will->qos;
    out.will_retain = options.will->retain;
    out.will_properties = of_will.view();
  }
  if (options.user_name) {
    out.has_user_name = true;
    out.user_name = *options.user_name;
  }
  if (options.password) {
    out.has_password = true;
    out.password = as_bytes(*options.password);
  }
  mqtt::write_connect(wire_->to_broker, out);
}

void Client::publish(const std::string& topic, const std::string& payload, const PublishOptions& options) {
  mqtt::PublishOut out{.dup = options.dup,
                       .qos = options.qos,
                       .retain = options.retain,
                       .topic = topic,
                       .properties = as_bytes(options.properties),
                       .payload = as_bytes(payload)};
  if (options.qos != mqtt::Qos::kAtMostOnce) {
    if (options.packet_id) {
      out.packet_id = {*options.packet_id};
    } else {
      out.packet_id = {next_packet_id};
      next_packet_id = static_cast<std::uint16_t>(next_packet_id == 0xFFFF ? 1 : next_packet_id + 1);
    }
  }
  mqtt::write_publish(wire_->to_broker, version_, out);
}

void Client::subscribe(const std::string& filter, mqtt::Qos qos, std::uint32_t subscription_id) {
  subscribe({{.filter = filter, .qos = qos}}, subscription_id);
}

void Client::subscribe(const std::vector<mqtt::SubscriptionRequest>& requests,
                       std::uint32_t subscription_id) {
  ByteBuffer properties;
  if (subscription_id != 0) {
    mqtt::PropertyWriter{properties}.varint(PropertyId::kSubscriptionIdentifier, subscription_id);
  }
  mqtt::write_subscribe(wire_->to_broker, version_, {next_packet_id++}, requests, properties.view());
}

void Client::unsubscribe(const std::string& filter) {
  const std::string_view filters[] = {filter};
  mqtt::write_unsubscribe(wire_->to_broker, version_, {next_packet_id++}, filters);
}

void Client::ping() { mqtt::write_pingreq(wire_->to_broker); }

void Client::disconnect(mqtt::ReasonCode code, std::optional<std::uint32_t> session_expiry_s) {
  ByteBuffer properties;
  if (session_expiry_s)
    mqtt::PropertyWriter{properties}.u32(PropertyId::kSessionExpiryInterval, *session_expiry_s);
  mqtt::write_disconnect(wire_->to_broker, version_, code, properties.view());
  wire_->client_closed = true;
  wire_.reset();
}

void Client::acknowledge(PacketType type, mqtt::PacketId id, mqtt::ReasonCode code) {
  mqtt::write_publish_ack(wire_->to_broker, version_, type, id, code);
}

void Client::send(ByteView bytes) { wire_->to_broker.append(bytes); }

void Client::drop_link() {
  if (!wire_) return;
  wire_->client_closed = true;
  wire_.reset();
}

void Client::poll() {
  while (poll_one()) {
  }
}

bool Client::poll_one() {
  if (!wire_ || !reads) return false;
  const auto next = mqtt::next_frame(wire_->to_client.view(), mqtt::kRemainingLengthMax, version_);
  if (next.state == mqtt::FrameState::kInvalid) throw std::runtime_error("the broker sent an invalid packet");
  if (next.state == mqtt::FrameState::kNeedMore) return false;
  read_packet(next.frame);
  wire_->to_client.consume(next.frame.size);
  return true;
}

void Client::run() {
  std::size_t before = 0;
  do {
    before = log.size();
    world_.settle();
    poll();
    world_.settle();
  } while (log.size() != before);
}

void Client::read_packet(const mqtt::Frame& frame) {
  log.push_back(frame.type);
  switch (frame.type) {
    case PacketType::kConnack: {
      const auto packet = mqtt::read_connack(frame, version_).value();
      connack_code =
          version_ == mqtt::Version::k5 ? packet.code : static_cast<mqtt::ReasonCode>(packet.return_code);
      session_present = packet.session_present;
      session_expiry_told.reset();
      if (version_ != mqtt::Version::k5) break;
      if (packet.properties.has(PropertyId::kAssignedClientIdentifier)) {
        assigned_client_id = packet.properties.assigned_client_identifier;
      }
      if (packet.properties.has(PropertyId::kSessionExpiryInterval)) {
        session_expiry_told = packet.properties.session_expiry_interval_s;
      }
      break;
    }
    case PacketType::kPublish:
      read_publish(frame);
      break;
    case PacketType::kPuback:
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
      read_ack(frame);
      break;
    case PacketType::kSuback: {
      const auto packet = mqtt::read_suback(frame, version_).value();
      subacks.push_back({packet.packet_id, packet.codes, reason_of(packet.properties)});
      break;
    }
    case PacketType::kUnsuback: {
      const auto packet = mqtt::read_unsuback(frame, version_).value();
      unsubacks.push_back({packet.packet_id, packet.codes, reason_of(packet.properties)});
      break;
    }
    case PacketType::kPingresp:
      ++pings;
      break;
    case PacketType::kDisconnect:
      disconnect_code = mqtt::read_disconnect(frame, version_, mqtt::Sender::kServer).value().code;
      break;
    case PacketType::kAuth: {
      const auto packet = mqtt::read_auth(frame, version_, mqtt::Sender::kServer).value();
      const bool has_data = packet.properties.has(PropertyId::kAuthenticationData);
      auths.emplace_back(packet.code,
                         has_data ? as_text(packet.properties.authentication_data) : std::string_view{});
      break;
    }
    default:
      throw std::runtime_error("the broker sent a packet that only a client sends");
  }
}

void Client::read_publish(const mqtt::Frame& frame) {
  const auto packet = mqtt::read_publish(frame, version_).value();
  Received got{.topic = std::string{packet.topic},
               .payload = std::string{as_text(packet.payload)},
               .qos = packet.qos,
               .retain = packet.retain,
               .dup = packet.dup,
               .packet_id = packet.packet_id,
               .topic_was_empty = packet.topic.empty()};
  if (version_ == mqtt::Version::k5) {
    mqtt::PropertyWalk walk{packet.properties.empty() ? ByteView{} : packet.properties.raw};
    mqtt::PropertyItem item;
    while (walk.next(item)) {
      switch (item.id) {
        case PropertyId::kMessageExpiryInterval:
          got.expiry_s = item.number;
          break;
        case PropertyId::kTopicAlias:
          got.topic_alias = static_cast<std::uint16_t>(item.number);
          break;
        case PropertyId::kSubscriptionIdentifier:
          got.subscription_ids.push_back(item.number);
          break;
        case PropertyId::kUserProperty:
          got.user_properties.push_back({std::string{item.text}, std::string{item.text2}});
          break;
        case PropertyId::kContentType:
          got.content_type = item.text;
          break;
        case PropertyId::kResponseTopic:
          got.response_topic = item.text;
          break;
        case PropertyId::kCorrelationData:
          got.correlation_data = item.text;
          break;
        default:
          break;
      }
    }
  }
  if (got.topic_alias) {
    const std::size_t alias = *got.topic_alias;
    if (aliases_.size() <= alias) aliases_.resize(alias + 1);
    if (got.topic.empty()) {
      got.topic = aliases_[alias];
    } else {
      aliases_[alias] = got.topic;
    }
  }
  received.push_back(got);
  if (!auto_acknowledge || got.qos == mqtt::Qos::kAtMostOnce) return;
  acknowledge(got.qos == mqtt::Qos::kAtLeastOnce ? PacketType::kPuback : PacketType::kPubrec, got.packet_id);
}

void Client::read_ack(const mqtt::Frame& frame) {
  const auto packet = mqtt::read_publish_ack(frame, version_).value();
  acks.push_back({packet.type, packet.packet_id, packet.code, reason_of(packet.properties)});
  if (!auto_acknowledge) return;
  if (packet.type == PacketType::kPubrec && static_cast<std::uint8_t>(packet.code) < 0x80) {
    acknowledge(PacketType::kPubrel, packet.packet_id);
  } else if (packet.type == PacketType::kPubrel) {
    acknowledge(PacketType::kPubcomp, packet.packet_id);
  }
}

}  // namespace nightjar::testing
