// Cuts received bytes into packets with the least work: enough for a load generator that trusts nothing it
// counts, but leaves judging every field to the conformance tests. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "mqtt/types.h"

namespace nightjar::cli::bench {

enum class ScanState : std::uint8_t { kComplete, kNeedMore, kMalformed };

// The front of received bytes as one packet.
struct ScannedPacket {
  ScanState state = ScanState::kNeedMore;
  std::uint8_t first_byte = 0;
  std::size_t header_bytes = 0;  // 0 while the length itself is incomplete
  std::size_t size = 0;          // header and body, known with header_bytes

  [[nodiscard]] mqtt::PacketType type() const { return static_cast<mqtt::PacketType>(first_byte >> 4U); }
};

inline ScannedPacket scan_packet(ByteView in) {
  ScannedPacket packet;
  if (in.size() < 2) return packet;
  packet.first_byte = std::to_integer<std::uint8_t>(in[0]);
  std::size_t length = 0;
  for (std::size_t i = 1; i < in.size() && i < 5; ++i) {
    const auto digit = std::to_integer<std::size_t>(in[i]);
    length |= (digit & 127U) << (7 * (i - 1));
    if ((digit & 128U) != 0) continue;
    packet.header_bytes = i + 1;
    packet.size = packet.header_bytes + length;
    packet.state = in.size() >= packet.size ? ScanState::kComplete : ScanState::kNeedMore;
    return packet;
  }
  if (in.size() >= 5) packet.state = ScanState::kMalformed;
  return packet;
}

inline std::uint16_t read_u16(const std::byte* at) {
  return static_cast<std::uint16_t>((std::to_integer<unsigned>(at[0]) << 8U) |
                                    std::to_integer<unsigned>(at[1]));
}

struct ScannedPublish {
  std::uint8_t qos = 0;
  std::uint16_t packet_id = 0;
  std::size_t payload_at = 0;  // in the packet
};

// `in` begins with the packet and may end inside its payload. kNeedMore: it ends before.
inline ScanState scan_publish(ByteView in, const ScannedPacket& packet, bool has_properties,
                              ScannedPublish& out) {
  out.qos = (packet.first_byte >> 1U) & 3U;
  std::size_t at = packet.header_bytes;
  if (in.size() < at + 2) return packet.size < at + 2 ? ScanState::kMalformed : ScanState::kNeedMore;
  at += std::size_t{2} + read_u16(&in[at]);
  const std::size_t fixed = (out.qos != 0 ? 2U : 0U) + (has_properties ? 1U : 0U);
  if (packet.size < at + fixed) return ScanState::kMalformed;
  if (in.size() < at + fixed) return ScanState::kNeedMore;
  if (out.qos != 0) {
    out.packet_id = read_u16(&in[at]);
    at += 2;
  }
  if (has_properties) {
    std::size_t length = 0;
    unsigned shift = 0;
    for (;; shift += 7) {
      if (at >= packet.size || shift > 21) return ScanState::kMalformed;
      if (at >= in.size()) return ScanState::kNeedMore;
      const auto digit = std::to_integer<std::size_t>(in[at++]);
      length |= (digit & 127U) << shift;
      if ((digit & 128U) == 0) break;
    }
    at += length;
  }
  if (at > packet.size) return ScanState::kMalformed;
  out.payload_at = at;
  return in.size() >= at ? ScanState::kComplete : ScanState::kNeedMore;
}

}  // namespace nightjar::cli::bench
