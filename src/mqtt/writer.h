// From packets to bytes, appended to a buffer. Pure; no locks.
// The caller has checked that strings are valid and at most 65 535 bytes.
// Properties are given as one encoded list (PropertyWriter), written only in 5.0.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "mqtt/packets.h"

namespace nightjar::mqtt {

// `properties` everywhere below: encoded, without the length prefix.

struct ConnectOut {
  Version version = Version::k311;
  bool clean_start = true;
  std::uint16_t keep_alive_s = 60;
  std::string_view client_id{};
  bool has_will = false;
  std::string_view will_topic{};
  ByteView will_payload{};
  Qos will_qos = Qos::kAtMostOnce;
  bool will_retain = false;
  ByteView will_properties{};
  bool has_user_name = false;
  std::string_view user_name{};
  bool has_password = false;
  ByteView password{};
  ByteView properties{};
};
void write_connect(ByteBuffer& out, const ConnectOut& packet);

// In 3.x `code` is translated with connack_return_code, and session_present is left out in 3.1.
void write_connack(ByteBuffer& out, Version version, bool session_present, ReasonCode code,
                   ByteView properties);

struct PublishOut {
  bool dup = false;
  Qos qos = Qos::kAtMostOnce;
  bool retain = false;
  PacketId packet_id{};
  std::string_view topic{};
  // Two encoded pieces that follow each other: what the message carries, and what is added per send.
  ByteView properties{};
  ByteView more_properties{};
  ByteView payload{};
};
void write_publish(ByteBuffer& out, Version version, const PublishOut& packet);
// Bytes that write_publish will append.
std::size_t publish_size(Version version, const PublishOut& packet);

// PUBACK, PUBREC, PUBREL, PUBCOMP. In 5.0 a success without properties takes the short form.
void write_publish_ack(ByteBuffer& out, Version version, PacketType type, PacketId id,
                       ReasonCode code = ReasonCode::kSuccess, ByteView properties = {});
void write_subscribe(ByteBuffer& out, Version version, PacketId id,
                     std::span<const SubscriptionRequest> requests, ByteView properties = {});
// In 3.x every code of 0x80 and above is written as 0x80.
void write_suback(ByteBuffer& out, Version version, PacketId id, std::span<const ReasonCode> codes,
                  ByteView properties = {});
void write_unsubscribe(ByteBuffer& out, Version version, PacketId id,
                       std::span<const std::string_view> filters, ByteView properties = {});
void write_unsuback(ByteBuffer& out, Version version, PacketId id, std::span<const ReasonCode> codes,
                    ByteView properties = {});
void write_pingreq(ByteBuffer& out);
void write_pingresp(ByteBuffer& out);
void write_disconnect(ByteBuffer& out, Version version, ReasonCode code, ByteView properties = {});
void write_auth(ByteBuffer& out, ReasonCode code, ByteView properties);

}  // namespace nightjar::mqtt
