#include "mqtt/reader.h"

#include "mqtt/varint.h"

namespace nightjar::mqtt {
namespace {

FrameResult refuse(ReasonCode code, std::string_view why) {
  FrameResult result;
  result.state = FrameState::kInvalid;
  result.violation = Violation{code, why};
  return result;
}

// Why the first byte of a packet is wrong, or nothing (table 2-2 of 5.0).
std::string_view first_byte_fault(PacketType type, unsigned flags, Version version) {
  constexpr unsigned kQosBits = 0x6;
  constexpr unsigned kReservedFlagsSet = 0x2;
  constexpr std::string_view kBadFlags = "reserved fixed header flags [MQTT-2.2.2-2]";
  switch (type) {
    case PacketType::kPublish:
      return (flags & kQosBits) == kQosBits ? "PUBLISH with QoS 3 [MQTT-3.3.1-4]" : std::string_view{};
    case PacketType::kPubrel:
    case PacketType::kSubscribe:
    case PacketType::kUnsubscribe:
      // In 3.1 these bits are a QoS of 1 and a DUP flag, which a client may set when it sends again.
      if (version == Version::k31) return {};
      return flags == kReservedFlagsSet ? std::string_view{} : kBadFlags;
    case PacketType::kAuth:
      if (version != Version::k5) return "packet type 15 before MQTT 5.0 (section 2.2.1)";
      return flags == 0 ? std::string_view{} : kBadFlags;
    case PacketType::kReserved:
      return "reserved packet type 0 (section 2.1.2)";
    default:
      return flags == 0 ? std::string_view{} : kBadFlags;
  }
}

}  // namespace

FrameResult next_frame(ByteView in, std::size_t packet_bytes_max, Version version) {
  FrameResult result;
  if (in.empty()) return result;
  const auto first = std::to_integer<unsigned>(in[0]);
  const auto type = static_cast<PacketType>(first >> 4);
  const unsigned flags = first & 0x0F;
  const std::string_view fault = first_byte_fault(type, flags, version);
  if (!fault.empty()) return refuse(ReasonCode::kMalformedPacket, fault);

  const Varint length = read_varint(in.subspan(1));
  if (length.state == VarintState::kNeedMore) return result;
  if (length.state == VarintState::kMalformed) {
    return refuse(ReasonCode::kMalformedPacket, "bad Remaining Length [MQTT-1.5.5-1]");
  }
  const std::size_t header_size = 1 + length.size;
  const std::size_t size = header_size + length.value;
  if (size > packet_bytes_max) return refuse(ReasonCode::kPacketTooLarge, "packet larger than the maximum");
  if (in.size() < size) {
    result.needed = size;
    return result;
  }
  result.state = FrameState::kComplete;
  result.frame.type = type;
  result.frame.flags = static_cast<std::uint8_t>(flags);
  result.frame.body = in.subspan(header_size, length.value);
  result.frame.size = size;
  return result;
}

Parsed<bool> read_ping(const Frame& frame) {
  if (!frame.body.empty()) return malformed("PINGREQ or PINGRESP with a body (section 3.12)");
  return true;
}

}  // namespace nightjar::mqtt
