#include "cli/message.h"

namespace nightjar::cli {
namespace {

using mqtt::PropertyId;

std::optional<std::string> text_of(const mqtt::Properties& from, PropertyId id, std::string_view value) {
  if (!from.has(id)) return std::nullopt;
  return std::string{value};
}

}  // namespace

void write_properties(mqtt::PropertyWriter& out, const MessageProperties& properties) {
  if (properties.payload_format) out.u8(PropertyId::kPayloadFormatIndicator, *properties.payload_format);
  if (properties.message_expiry_s) out.u32(PropertyId::kMessageExpiryInterval, *properties.message_expiry_s);
  if (properties.content_type) out.text(PropertyId::kContentType, *properties.content_type);
  if (properties.response_topic) out.text(PropertyId::kResponseTopic, *properties.response_topic);
  if (properties.correlation_data) {
    out.binary(PropertyId::kCorrelationData, as_bytes(*properties.correlation_data));
  }
  for (const NamedValue& user : properties.user_properties) out.user(user.name, user.value);
}

ReceivedMessage to_message(const mqtt::Publish& packet) {
  ReceivedMessage message;
  message.topic = packet.topic;
  message.payload = as_text(packet.payload);
  message.qos = packet.qos;
  message.retain = packet.retain;
  message.dup = packet.dup;
  if (packet.qos != mqtt::Qos::kAtMostOnce) message.packet_id = packet.packet_id.value;

  const mqtt::Properties& from = packet.properties;
  if (from.empty()) return message;
  MessageProperties& to = message.properties;
  if (from.has(PropertyId::kPayloadFormatIndicator)) to.payload_format = from.payload_format_indicator;
  if (from.has(PropertyId::kMessageExpiryInterval)) to.message_expiry_s = from.message_expiry_interval_s;
  if (from.has(PropertyId::kTopicAlias)) message.topic_alias = from.topic_alias;
  to.content_type = text_of(from, PropertyId::kContentType, from.content_type);
  to.response_topic = text_of(from, PropertyId::kResponseTopic, from.response_topic);
  to.correlation_data = text_of(from, PropertyId::kCorrelationData, as_text(from.correlation_data));
  mqtt::PropertyWalk walk{from.raw};
  for (mqtt::PropertyItem item{}; walk.next(item);) {
    if (item.id == PropertyId::kUserProperty) {
      to.user_properties.push_back({std::string{item.text}, std::string{item.text2}});
    } else if (item.id == PropertyId::kSubscriptionIdentifier) {
      message.subscription_ids.push_back(item.number);
    }
  }
  return message;
}

}  // namespace nightjar::cli
