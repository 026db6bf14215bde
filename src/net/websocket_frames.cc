#include "net/websocket_frames.h"

#include <bit>
#include <cstring>

namespace nightjar::net {
namespace {

constexpr unsigned kFin = 0x80;
constexpr unsigned kReservedBits = 0x70;
constexpr unsigned kMasked = 0x80;
// Values of the seven bit length that say how many bytes hold the real one.
constexpr unsigned kLength16 = 126;
constexpr unsigned kLength64 = 127;

unsigned byte_at(ByteView in, std::size_t at) { return std::to_integer<unsigned>(in[at]); }

std::uint64_t big_endian(ByteView bytes) {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<unsigned>(byte);
  return value;
}

bool is_known(unsigned opcode) { return opcode <= 0x2 || (opcode >= 0x8 && opcode <= 0xA); }

void write_header(ByteBuffer& out, WebSocketOpcode opcode, std::size_t payload_bytes, unsigned mask_bit) {
  out.u8(static_cast<std::uint8_t>(kFin | static_cast<unsigned>(opcode)));
  if (payload_bytes < kLength16) {
    out.u8(static_cast<std::uint8_t>(mask_bit | payload_bytes));
  } else if (payload_bytes <= 0xFFFF) {
    out.u8(static_cast<std::uint8_t>(mask_bit | kLength16));
    out.u16(static_cast<std::uint16_t>(payload_bytes));
  } else {
    out.u8(static_cast<std::uint8_t>(mask_bit | kLength64));
    out.u32(static_cast<std::uint32_t>(std::uint64_t{payload_bytes} >> 32));
    out.u32(static_cast<std::uint32_t>(payload_bytes));
  }
}

}  // namespace

WebSocketHeaderState read_websocket_header(ByteView in, WebSocketFrameHeader& header) {
  using State = WebSocketHeaderState;
  if (in.empty()) return State::kNeedMore;
  const unsigned first = byte_at(in, 0);
  if ((first & kReservedBits) != 0 || !is_known(first & 0x0F)) return State::kMalformed;
  header.opcode = static_cast<WebSocketOpcode>(first & 0x0F);
  header.is_final = (first & kFin) != 0;
  if (in.size() < 2) return State::kNeedMore;
  const unsigned second = byte_at(in, 1);
  header.is_masked = (second & kMasked) != 0;
  const unsigned length = second & 0x7F;
  if (header.is_control() && (!header.is_final || length > kWebSocketControlBytesMax))
    return State::kMalformed;

  const std::size_t length_bytes = length == kLength64 ? 8 : length == kLength16 ? 2 : 0;
  const std::size_t bytes = 2 + length_bytes + (header.is_masked ? 4 : 0);
  if (in.size() < bytes) return State::kNeedMore;
  header.bytes = static_cast<std::uint8_t>(bytes);
  header.payload_bytes = length_bytes == 0 ? length : big_endian(in.subspan(2, length_bytes));
  if (length == kLength16 && header.payload_bytes < kLength16) return State::kMalformed;
  if (length == kLength64 && (header.payload_bytes <= 0xFFFF || header.payload_bytes >> 63 != 0)) {
    return State::kMalformed;
  }
  if (header.is_masked) std::memcpy(&header.mask, in.data() + 2 + length_bytes, 4);
  return State::kComplete;
}

void write_websocket_header(ByteBuffer& out, WebSocketOpcode opcode, std::size_t payload_bytes) {
  write_header(out, opcode, payload_bytes, 0);
}

void write_masked_websocket_header(ByteBuffer& out, WebSocketOpcode opcode, std::size_t payload_bytes,
                                   std::uint32_t mask) {
  write_header(out, opcode, payload_bytes, kMasked);
  std::memcpy(out.prepare(4), &mask, 4);
  out.commit(4);
}

static_assert(std::endian::native == std::endian::little, "the first byte of a mask is the lowest");

std::uint32_t copy_masked(std::byte* to, ByteView from, std::uint32_t mask) {
  const std::byte* at = from.data();
  const std::byte* const end = at + from.size();
  const std::uint64_t wide = std::uint64_t{mask} << 32 | mask;
  // Two words at a time, which the compiler makes one vector operation.
  for (; end - at >= 16; at += 16, to += 16) {
    std::uint64_t words[2];
    std::memcpy(words, at, 16);
    words[0] ^= wide;
    words[1] ^= wide;
    std::memcpy(to, words, 16);
  }
  for (; end - at >= 4; at += 4, to += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, at, 4);
    word ^= mask;
    std::memcpy(to, &word, 4);
  }
  for (; at != end; ++at, ++to) {
    *to = *at ^ static_cast<std::byte>(mask);
    mask = std::rotr(mask, 8);
  }
  return mask;
}

bool is_valid_close_code(unsigned code) {
  if (code >= 3000) return code < 5000;
  return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}

}  // namespace nightjar::net
