// The variable byte integer of both standards (section 1.5.5 of 5.0, 2.2.3 of 3.1.1). Pure.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace nightjar::mqtt {

// Bytes that `value` takes when encoded, 1 to 4. `value` is at most kRemainingLengthMax.
constexpr std::size_t varint_size(std::uint32_t value) {
  return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}

void append_varint(ByteBuffer& out, std::uint32_t value);
// Writes at `at`, which has room for varint_size(value) bytes; returns the end.
std::byte* write_varint(std::byte* at, std::uint32_t value);

// What the front of a byte string holds.
enum class VarintState : std::uint8_t { kComplete, kNeedMore, kMalformed };
struct Varint {
  VarintState state;
  std::uint32_t value = 0;
  std::size_t size = 0;  // bytes taken when complete
};
// Refuses a fifth byte and an encoding longer than needed [MQTT-1.5.5-1].
Varint read_varint(ByteView in);

}  // namespace nightjar::mqtt
