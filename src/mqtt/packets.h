// The packets of MQTT 3.1, 3.1.1 and 5.0 as values. Strings and payloads are views into the bytes they were
// read from (or, when writing, into the caller's memory) and live no longer. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "mqtt/properties.h"
#include "mqtt/reason_code.h"
#include "mqtt/types.h"

namespace nightjar::mqtt {

struct WillFields {
  std::string_view topic{};
  ByteView payload{};
  Qos qos = Qos::kAtMostOnce;
  bool retain = false;
  Properties properties{};
};

struct Connect {
  Version version = Version::k311;
  bool clean_start = false;  // "Clean Session" in 3.1 and 3.1.1
  bool has_will = false;
  bool has_user_name = false;
  bool has_password = false;
  bool is_bridge = false;  // 3.1/3.1.1: bit 7 of the level byte, the bridge convention of Mosquitto
  std::uint16_t keep_alive_s = 0;
  std::string_view client_id{};
  WillFields will{};
  std::string_view user_name{};
  ByteView password{};
  Properties properties{};
};

struct Connack {
  bool session_present = false;
  ReasonCode code = ReasonCode::kSuccess;  // 5.0
  std::uint8_t return_code = 0;            // 3.1, 3.1.1
  Properties properties{};
};

struct Publish {
  bool dup = false;
  Qos qos = Qos::kAtMostOnce;
  bool retain = false;
  PacketId packet_id{};      // only with QoS 1 and 2
  std::string_view topic{};  // may be empty in 5.0 with a Topic Alias
  Properties properties{};
  ByteView payload{};
};

// PUBACK, PUBREC, PUBREL, PUBCOMP.
struct PublishAck {
  PacketType type = PacketType::kPuback;
  PacketId packet_id{};
  ReasonCode code = ReasonCode::kSuccess;
  Properties properties{};
};

enum class RetainHandling : std::uint8_t { kSend = 0, kSendIfNew = 1, kDoNotSend = 2 };

struct SubscriptionRequest {
  std::string_view filter{};
  Qos qos = Qos::kAtMostOnce;
  bool no_local = false;
  bool retain_as_published = false;
  RetainHandling retain_handling = RetainHandling::kSend;
};

struct Subscribe {
  PacketId packet_id{};
  Properties properties{};
  std::vector<SubscriptionRequest> requests{};
};

struct Suback {
  PacketId packet_id{};
  Properties properties{};
  std::vector<ReasonCode> codes{};  // 3.1.1: 0, 1, 2 or 0x80
};

struct Unsubscribe {
  PacketId packet_id{};
  Properties properties{};
  std::vector<std::string_view> filters{};
};

struct Unsuback {
  PacketId packet_id{};
  Properties properties{};
  std::vector<ReasonCode> codes{};  // 5.0 only
};

struct Disconnect {
  ReasonCode code = ReasonCode::kSuccess;
  Properties properties{};
};

struct Auth {
  ReasonCode code = ReasonCode::kSuccess;
  Properties properties{};
};

}  // namespace nightjar::mqtt
