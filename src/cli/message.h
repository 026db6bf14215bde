// A message as the command line tools hold it: owned text with the 5.0 properties that travel with it, and
// the way between it and the codec's views. Plain values, no locks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mqtt/packets.h"
#include "mqtt/properties.h"

namespace nightjar::cli {

struct NamedValue {
  std::string name;
  std::string value;
};

// What the publisher says about the payload; empty in 3.1 and 3.1.1.
struct MessageProperties {
  std::optional<std::uint8_t> payload_format;  // 1: UTF-8 text
  std::optional<std::uint32_t> message_expiry_s;
  std::optional<std::string> content_type;
  std::optional<std::string> response_topic;
  std::optional<std::string> correlation_data;
  std::vector<NamedValue> user_properties;  // in the sender's order

  [[nodiscard]] bool empty() const {
    return !payload_format && !message_expiry_s && !content_type && !response_topic && !correlation_data &&
           user_properties.empty();
  }
};

struct OutgoingMessage {
  std::string topic;
  std::string payload;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool retain = false;
  std::uint16_t topic_alias = 0;  // 0: none
  MessageProperties properties;
};

struct ReceivedMessage {
  std::string topic;
  std::string payload;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool retain = false;
  bool dup = false;
  std::uint16_t packet_id = 0;  // 0 with QoS 0
  std::uint16_t topic_alias = 0;
  MessageProperties properties;
  std::vector<std::uint32_t> subscription_ids;
};

void write_properties(mqtt::PropertyWriter& out, const MessageProperties& properties);

// Copies everything out of the packet. The topic is empty if the packet has only an alias.
ReceivedMessage to_message(const mqtt::Publish& packet);

}  // namespace nightjar::cli
