// PUBLISH and its acknowledgements PUBACK, PUBREC, PUBREL, PUBCOMP.
#include "mqtt/cursor.h"
#include "mqtt/reader.h"
#include "mqtt/topic.h"

namespace nightjar::mqtt {
namespace {

Parsed<void> check_topic(const Publish& packet) {
  if (is_valid_topic_name(packet.topic)) return {};
  if (!packet.topic.empty()) return protocol_error("wildcard in the topic of a PUBLISH [MQTT-3.3.2-2]");
  if (packet.properties.has(PropertyId::kTopicAlias)) return {};
  return protocol_error("PUBLISH with neither a topic nor a Topic Alias [MQTT-4.7.3-1]");
}

PropertyContext context_of(PacketType ack) {
  switch (ack) {
    case PacketType::kPubrec:
      return PropertyContext::kPubrec;
    case PacketType::kPubrel:
      return PropertyContext::kPubrel;
    case PacketType::kPubcomp:
      return PropertyContext::kPubcomp;
    default:
      return PropertyContext::kPuback;
  }
}

}  // namespace

std::string_view peek_topic(const Frame& frame) {
  const auto topic = Cursor{frame.body}.binary();
  return topic ? as_text(*topic) : std::string_view{};
}

Parsed<void> read_publish(const Frame& frame, Version version, TopicCheck topic, Publish& packet) {
  const unsigned flags = frame.flags;
  packet.dup = (flags & 0x08) != 0;
  packet.qos = static_cast<Qos>((flags >> 1) & 0x03);
  packet.retain = (flags & 0x01) != 0;
  packet.properties.clear();
  if (packet.qos > Qos::kExactlyOnce) return malformed("PUBLISH with QoS 3 [MQTT-3.3.1-4]");
  if (packet.dup && packet.qos == Qos::kAtMostOnce) {
    // 3.1 only says that DUP has no meaning here.
    if (version != Version::k31) return malformed("DUP with QoS 0 [MQTT-3.3.1-2]");
    packet.dup = false;
  }
  Cursor in{frame.body};
  if (topic == TopicCheck::kIsNeeded) {
    NJ_TRY(packet.topic, in.utf8_string());
  } else {
    NJ_TRY(const ByteView bytes, in.binary());
    packet.topic = as_text(bytes);
  }
  if (packet.qos != Qos::kAtMostOnce) {
    NJ_TRY(packet.packet_id, in.packet_id());
  }
  if (version == Version::k5) {
    NJ_CHECK(read_properties(in.rest(), PropertyContext::kPublish, packet.properties));
  }
  packet.payload = in.rest();
  return topic == TopicCheck::kIsNeeded ? check_topic(packet) : Parsed<void>{};
}

Parsed<Publish> read_publish(const Frame& frame, Version version) {
  Parsed<Publish> result;
  if (const auto read = read_publish(frame, version, TopicCheck::kIsNeeded, *result); !read)
    result = tl::make_unexpected(read.error());
  return result;
}

Parsed<void> read_publish_ack(const Frame& frame, Version version, PublishAck& packet) {
  packet.type = frame.type;
  packet.code = ReasonCode::kSuccess;
  packet.properties.clear();
  Cursor in{frame.body};
  NJ_TRY(packet.packet_id, in.packet_id());
  // In 5.0 a success may leave out the reason code, and any code the properties (section 3.4.2.1).
  if (version != Version::k5 || in.empty()) return in.end();
  NJ_TRY(const std::uint8_t code, in.u8());
  packet.code = static_cast<ReasonCode>(code);
  // Both sides may use the same codes in these packets.
  if (!is_allowed(packet.code, packet.type, Sender::kClient)) {
    return protocol_error("reason code not allowed in this acknowledgement [MQTT-3.4.2-1]");
  }
  if (in.empty()) return {};
  NJ_CHECK(read_properties(in.rest(), context_of(packet.type), packet.properties));
  return in.end();
}

Parsed<PublishAck> read_publish_ack(const Frame& frame, Version version) {
  Parsed<PublishAck> result;
  if (const auto read = read_publish_ack(frame, version, *result); !read)
    result = tl::make_unexpected(read.error());
  return result;
}

}  // namespace nightjar::mqtt
