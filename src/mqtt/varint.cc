#include "mqtt/varint.h"

#include <cassert>

#include "mqtt/types.h"

namespace nightjar::mqtt {

void append_varint(ByteBuffer& out, std::uint32_t value) {
  std::byte* at = out.prepare(4);
  out.commit(static_cast<std::size_t>(write_varint(at, value) - at));
}

std::byte* write_varint(std::byte* at, std::uint32_t value) {
  assert(value <= kRemainingLengthMax);
  while (value >= 0x80) {
    *at++ = static_cast<std::byte>((value & 0x7f) | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<std::byte>(value);
  return at;
}

Varint read_varint(ByteView in) {
  constexpr std::size_t kBytesMax = 4;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < kBytesMax; ++i) {
    if (i == in.size()) return {.state = VarintState::kNeedMore};
    const auto byte = std::to_integer<std::uint32_t>(in[i]);
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      // A last byte of zero adds nothing: the value has a shorter form.
      if (byte == 0 && i > 0) return {.state = VarintState::kMalformed};
      return {.state = VarintState::kComplete, .value = value, .size = i + 1};
    }
  }
  return {.state = VarintState::kMalformed};
}

}  // namespace nightjar::mqtt
