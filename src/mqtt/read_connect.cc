// CONNECT and CONNACK.
#include "mqtt/cursor.h"
#include "mqtt/reader.h"
#include "mqtt/topic.h"

namespace nightjar::mqtt {
namespace {

// The level byte of 3.1 and 3.1.1 may carry this bit: a bridge in the convention of Mosquitto.
constexpr unsigned kBridgeBit = 0x80;

// Protocol Name and Protocol Level, told apart as MQIsdp/3, MQTT/4 and MQTT/5.
Parsed<void> read_protocol(Cursor& in, Connect& packet, Version& version) {
  version = Version::k311;
  NJ_TRY(const std::string_view name, in.utf8_string());
  const bool is_v31 = name == "MQIsdp";
  if (!is_v31 && name != "MQTT") return protocol_error("unknown protocol name [MQTT-3.1.2-1]");
  NJ_TRY(const unsigned byte, in.u8());
  const unsigned level = byte & ~kBridgeBit;
  const bool has_bridge_bit = (byte & kBridgeBit) != 0;
  if (is_v31 && level == 3) {
    version = Version::k31;
  } else if (!is_v31 && level == 4) {
    version = Version::k311;
  } else if (!is_v31 && byte == 5) {
    version = Version::k5;
  } else {
    // The level it asked for tells which kind of CONNACK the peer can read.
    version = byte >= 5 && !is_v31 ? Version::k5 : Version::k311;
    return violation(ReasonCode::kUnsupportedProtocolVersion, "unsupported protocol version [MQTT-3.1.2-2]");
  }
  packet.version = version;
  packet.is_bridge = has_bridge_bit;
  return {};
}

Parsed<void> read_flags(Cursor& in, Connect& packet) {
  NJ_TRY(const unsigned flags, in.u8());
  packet.clean_start = (flags & 0x02) != 0;
  packet.has_will = (flags & 0x04) != 0;
  const unsigned will_qos = (flags >> 3) & 0x03;
  const bool will_retain = (flags & 0x20) != 0;
  packet.has_password = (flags & 0x40) != 0;
  packet.has_user_name = (flags & 0x80) != 0;

  if (packet.has_will) {
    if (will_qos == 3) return malformed("Will QoS 3 [MQTT-3.1.2-12]");
    packet.will.qos = static_cast<Qos>(will_qos);
    packet.will.retain = will_retain;
  }
  if (packet.version != Version::k5 && packet.has_password && !packet.has_user_name) {
    return protocol_error("password without a user name [MQTT-3.1.2-22]");
  }
  // 3.1 says of the other bits only that they are unused or disregarded.
  if (packet.version == Version::k31) return {};
  if ((flags & 0x01) != 0) return malformed("reserved connect flag [MQTT-3.1.2-3]");
  if (!packet.has_will && will_qos != 0) return protocol_error("Will QoS without a will [MQTT-3.1.2-11]");
  if (!packet.has_will && will_retain) return protocol_error("Will Retain without a will [MQTT-3.1.2-13]");
  return {};
}

Parsed<void> read_will(Cursor& in, Version version, WillFields& will) {
  if (version == Version::k5) {
    NJ_CHECK(read_properties(in.rest(), PropertyContext::kWill, will.properties));
  }
  NJ_TRY(will.topic, in.utf8_string());
  if (!is_valid_topic_name(will.topic)) return protocol_error("invalid Will Topic [MQTT-4.7.3-1]");
  NJ_TRY(will.payload, in.binary());
  return {};
}

Parsed<void> read_credentials(Cursor& in, Connect& packet) {
  // In 3.1 the Remaining Length takes precedence over these flags: what is announced may be missing.
  const bool may_be_missing = packet.version == Version::k31;
  if (may_be_missing && in.empty()) packet.has_user_name = false;
  if (packet.has_user_name) {
    NJ_TRY(packet.user_name, in.utf8_string());
  }
  if (may_be_missing && in.empty()) packet.has_password = false;
  if (packet.has_password) {
    NJ_TRY(packet.password, in.binary());
  }
  return {};
}

Parsed<void> fill(Connect& packet, const Frame& frame, Version& version) {
  Cursor in{frame.body};
  NJ_CHECK(read_protocol(in, packet, version));
  NJ_CHECK(read_flags(in, packet));
  NJ_TRY(packet.keep_alive_s, in.u16());
  if (version == Version::k5) {
    NJ_CHECK(read_properties(in.rest(), PropertyContext::kConnect, packet.properties));
  }
  NJ_TRY(packet.client_id, in.utf8_string());
  if (packet.has_will) {
    NJ_CHECK(read_will(in, version, packet.will));
  }
  NJ_CHECK(read_credentials(in, packet));
  return in.end();
}

Parsed<void> fill(Connack& packet, const Frame& frame, Version version) {
  constexpr std::uint8_t kReturnCodeMax = 5;
  Cursor in{frame.body};
  NJ_TRY(const unsigned flags, in.u8());
  NJ_TRY(const std::uint8_t code, in.u8());
  // 3.1 has no flags here: that byte is unused.
  if (version != Version::k31) {
    if (flags > 1) return malformed("reserved connect acknowledge flags [MQTT-3.2.2-1]");
    packet.session_present = flags == 1;
  }
  if (packet.session_present && code != 0)
    return protocol_error("refusal with Session Present [MQTT-3.2.2-6]");
  if (version != Version::k5) {
    if (code > kReturnCodeMax) return protocol_error("reserved return code (table 3.1 of 3.1.1)");
    packet.return_code = code;
    return in.end();
  }
  packet.code = static_cast<ReasonCode>(code);
  if (!is_allowed(packet.code, PacketType::kConnack, Sender::kServer)) {
    return protocol_error("reason code not allowed in CONNACK [MQTT-3.2.2-8]");
  }
  NJ_CHECK(read_properties(in.rest(), PropertyContext::kConnack, packet.properties));
  return in.end();
}

}  // namespace

Parsed<Connect> read_connect(const Frame& frame, Version& version) {
  Parsed<Connect> result;
  if (const auto filled = fill(*result, frame, version); !filled)
    result = tl::make_unexpected(filled.error());
  return result;
}

std::uint32_t announced_packet_bytes_max(const Frame& frame) {
  Cursor in{frame.body};
  Connect packet;
  Version version = Version::k311;
  if (!read_protocol(in, packet, version) || version != Version::k5) return 0;
  if (!in.u8() || !in.u16()) return 0;  // flags and keep alive
  const auto properties = read_properties(in.rest(), PropertyContext::kConnect);
  const bool has_it = properties && properties->has(PropertyId::kMaximumPacketSize);
  return has_it ? properties->maximum_packet_size : 0;
}

Parsed<Connack> read_connack(const Frame& frame, Version version) {
  Parsed<Connack> result;
  if (const auto filled = fill(*result, frame, version); !filled)
    result = tl::make_unexpected(filled.error());
  return result;
}

}  // namespace nightjar::mqtt
