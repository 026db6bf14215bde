#include "mqtt/writer.h"

#include <cassert>
#include <cstring>

#include "mqtt/varint.h"

namespace nightjar::mqtt {
namespace {

constexpr std::size_t kPacketIdSize = 2;

std::size_t string_size(std::size_t size) { return 2 + size; }

// A property list with its length prefix; no byte at all before 5.0.
std::size_t list_size(Version version, std::size_t properties_size) {
  if (version != Version::k5) return 0;
  return varint_size(static_cast<std::uint32_t>(properties_size)) + properties_size;
}

void fixed_header(ByteBuffer& out, PacketType type, unsigned flags, std::size_t remaining_length) {
  assert(remaining_length <= kRemainingLengthMax);
  out.u8(static_cast<std::uint8_t>((static_cast<unsigned>(type) << 4) | flags));
  append_varint(out, static_cast<std::uint32_t>(remaining_length));
}

void string(ByteBuffer& out, ByteView bytes) {
  assert(bytes.size() <= 0xFFFF);
  out.u16(static_cast<std::uint16_t>(bytes.size()));
  out.append(bytes);
}
void string(ByteBuffer& out, std::string_view text) { string(out, as_bytes(text)); }

void property_list(ByteBuffer& out, Version version, ByteView properties) {
  if (version != Version::k5) return;
  append_varint(out, static_cast<std::uint32_t>(properties.size()));
  out.append(properties);
}

std::uint8_t byte_of(ReasonCode code) { return static_cast<std::uint8_t>(code); }

std::byte* put(std::byte* at, ByteView bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}
std::byte* put_u16(std::byte* at, std::size_t value) {
  at[0] = static_cast<std::byte>(value >> 8);
  at[1] = static_cast<std::byte>(value & 0xff);
  return at + 2;
}

std::size_t publish_body_size(Version version, const PublishOut& packet) {
  return string_size(packet.topic.size()) + (packet.qos == Qos::kAtMostOnce ? 0 : kPacketIdSize) +
         list_size(version, packet.properties.size() + packet.more_properties.size()) + packet.payload.size();
}

unsigned connect_flags(const ConnectOut& packet) {
  unsigned flags = packet.clean_start ? 0x02U : 0U;
  if (packet.has_will) {
    flags |= 0x04U | (static_cast<unsigned>(packet.will_qos) << 3) | (packet.will_retain ? 0x20U : 0U);
  }
  if (packet.has_password) flags |= 0x40U;
  if (packet.has_user_name) flags |= 0x80U;
  return flags;
}

std::size_t connect_body_size(const ConnectOut& packet, std::string_view protocol_name) {
  constexpr std::size_t kLevelFlagsAndKeepAlive = 4;
  std::size_t size = string_size(protocol_name.size()) + kLevelFlagsAndKeepAlive +
                     list_size(packet.version, packet.properties.size()) +
                     string_size(packet.client_id.size());
  if (packet.has_will) {
    size += list_size(packet.version, packet.will_properties.size()) + string_size(packet.will_topic.size()) +
            string_size(packet.will_payload.size());
  }
  if (packet.has_user_name) size += string_size(packet.user_name.size());
  if (packet.has_password) size += string_size(packet.password.size());
  return size;
}

// The option bits of one topic filter in SUBSCRIBE; before 5.0 only the QoS exists.
std::uint8_t option_bits(Version version, const SubscriptionRequest& request) {
  unsigned bits = static_cast<unsigned>(request.qos);
  if (version == Version::k5) {
    bits |= (request.no_local ? 0x04U : 0U) | (request.retain_as_published ? 0x08U : 0U) |
            (static_cast<unsigned>(request.retain_handling) << 4);
  }
  return static_cast<std::uint8_t>(bits);
}

}  // namespace

void write_connect(ByteBuffer& out, const ConnectOut& packet) {
  const std::string_view protocol_name = packet.version == Version::k31 ? "MQIsdp" : "MQTT";
  fixed_header(out, PacketType::kConnect, 0, connect_body_size(packet, protocol_name));
  string(out, protocol_name);
  out.u8(static_cast<std::uint8_t>(packet.version));
  out.u8(static_cast<std::uint8_t>(connect_flags(packet)));
  out.u16(packet.keep_alive_s);
  property_list(out, packet.version, packet.properties);
  string(out, packet.client_id);
  if (packet.has_will) {
    property_list(out, packet.version, packet.will_properties);
    string(out, packet.will_topic);
    string(out, packet.will_payload);
  }
  if (packet.has_user_name) string(out, packet.user_name);
  if (packet.has_password) string(out, packet.password);
}

void write_connack(ByteBuffer& out, Version version, bool session_present, ReasonCode code,
                   ByteView properties) {
  fixed_header(out, PacketType::kConnack, 0, 2 + list_size(version, properties.size()));
  out.u8(session_present && version != Version::k31 ? 1 : 0);
  out.u8(version == Version::k5 ? byte_of(code) : connack_return_code(code));
  property_list(out, version, properties);
}

std::size_t publish_size(Version version, const PublishOut& packet) {
  const std::size_t body = publish_body_size(version, packet);
  return 1 + varint_size(static_cast<std::uint32_t>(body)) + body;
}

void write_publish(ByteBuffer& out, Version version, const PublishOut& packet) {
  const std::size_t body = publish_body_size(version, packet);
  assert(body <= kRemainingLengthMax && packet.topic.size() <= 0xFFFF);
  constexpr std::size_t kFixedHeaderSizeMax = 5;
  std::byte* const start = out.prepare(kFixedHeaderSizeMax + body);
  std::byte* at = start;
  const unsigned flags =
      (packet.dup ? 0x08U : 0U) | (static_cast<unsigned>(packet.qos) << 1) | (packet.retain ? 0x01U : 0U);
  *at++ = static_cast<std::byte>((static_cast<unsigned>(PacketType::kPublish) << 4) | flags);
  at = write_varint(at, static_cast<std::uint32_t>(body));
  at = put_u16(at, packet.topic.size());
  at = put(at, as_bytes(packet.topic));
  if (packet.qos != Qos::kAtMostOnce) at = put_u16(at, packet.packet_id.value);
  if (version == Version::k5) {
    const std::size_t properties_size = packet.properties.size() + packet.more_properties.size();
    at = write_varint(at, static_cast<std::uint32_t>(properties_size));
    at = put(at, packet.properties);
    at = put(at, packet.more_properties);
  }
  at = put(at, packet.payload);
  out.commit(static_cast<std::size_t>(at - start));
}

void write_publish_ack(ByteBuffer& out, Version version, PacketType type, PacketId id, ReasonCode code,
                       ByteView properties) {
  const unsigned flags = type == PacketType::kPubrel ? 0x2U : 0U;
  const bool has_properties = version == Version::k5 && !properties.empty();
  const bool has_code = version == Version::k5 && (code != ReasonCode::kSuccess || has_properties);
  const std::size_t code_size = has_code ? 1 : 0;
  const std::size_t properties_size = has_properties ? list_size(version, properties.size()) : 0;
  fixed_header(out, type, flags, kPacketIdSize + code_size + properties_size);
  out.u16(id.value);
  if (has_code) out.u8(byte_of(code));
  if (has_properties) property_list(out, version, properties);
}

void write_subscribe(ByteBuffer& out, Version version, PacketId id,
                     std::span<const SubscriptionRequest> requests, ByteView properties) {
  std::size_t size = kPacketIdSize + list_size(version, properties.size());
  for (const SubscriptionRequest& request : requests) size += string_size(request.filter.size()) + 1;
  fixed_header(out, PacketType::kSubscribe, 0x2, size);
  out.u16(id.value);
  property_list(out, version, properties);
  for (const SubscriptionRequest& request : requests) {
    string(out, request.filter);
    out.u8(option_bits(version, request));
  }
}

void write_suback(ByteBuffer& out, Version version, PacketId id, std::span<const ReasonCode> codes,
                  ByteView properties) {
  fixed_header(out, PacketType::kSuback, 0,
               kPacketIdSize + list_size(version, properties.size()) + codes.size());
  out.u16(id.value);
  property_list(out, version, properties);
  for (const ReasonCode code : codes) {
    const bool is_failure = code >= ReasonCode::kUnspecifiedError;
    out.u8(byte_of(is_failure && version != Version::k5 ? ReasonCode::kUnspecifiedError : code));
  }
}

void write_unsubscribe(ByteBuffer& out, Version version, PacketId id,
                       std::span<const std::string_view> filters, ByteView properties) {
  std::size_t size = kPacketIdSize + list_size(version, properties.size());
  for (const std::string_view filter : filters) size += string_size(filter.size());
  fixed_header(out, PacketType::kUnsubscribe, 0x2, size);
  out.u16(id.value);
  property_list(out, version, properties);
  for (const std::string_view filter : filters) string(out, filter);
}

void write_unsuback(ByteBuffer& out, Version version, PacketId id, std::span<const ReasonCode> codes,
                    ByteView properties) {
  const std::size_t codes_size = version == Version::k5 ? codes.size() : 0;
  fixed_header(out, PacketType::kUnsuback, 0,
               kPacketIdSize + list_size(version, properties.size()) + codes_size);
  out.u16(id.value);
  property_list(out, version, properties);
  if (version != Version::k5) return;
  for (const ReasonCode code : codes) out.u8(byte_of(code));
}

void write_pingreq(ByteBuffer& out) { fixed_header(out, PacketType::kPingreq, 0, 0); }

void write_pingresp(ByteBuffer& out) { fixed_header(out, PacketType::kPingresp, 0, 0); }

void write_disconnect(ByteBuffer& out, Version version, ReasonCode code, ByteView properties) {
  if (version != Version::k5) return fixed_header(out, PacketType::kDisconnect, 0, 0);
  const bool has_code = code != ReasonCode::kSuccess || !properties.empty();
  const std::size_t properties_size = properties.empty() ? 0 : list_size(version, properties.size());
  fixed_header(out, PacketType::kDisconnect, 0, has_code ? 1 + properties_size : 0);
  if (has_code) out.u8(byte_of(code));
  if (!properties.empty()) property_list(out, version, properties);
}

void write_auth(ByteBuffer& out, ReasonCode code, ByteView properties) {
  if (code == ReasonCode::kSuccess && properties.empty()) return fixed_header(out, PacketType::kAuth, 0, 0);
  fixed_header(out, PacketType::kAuth, 0, 1 + list_size(Version::k5, properties.size()));
  out.u8(byte_of(code));
  property_list(out, Version::k5, properties);
}

}  // namespace nightjar::mqtt
