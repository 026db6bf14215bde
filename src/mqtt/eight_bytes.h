// Tests on eight bytes at a time, for the strings of the hot path. Private to the package; pure.
#pragma once

#include <cstdint>
#include <cstring>

namespace nightjar::mqtt {

// One byte value in all eight places.
constexpr std::uint64_t eight_times(std::uint8_t byte) { return 0x0101'0101'0101'0101U * byte; }

inline std::uint64_t load_eight(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// True if one of the eight bytes is zero. (byte - 1) & ~byte has its high bit set for zero alone; a borrow
// can falsify the byte above it, but it comes out of a zero byte.
constexpr bool has_zero(std::uint64_t word) {
  return ((word - eight_times(0x01)) & ~word & eight_times(0x80)) != 0;
}

constexpr bool has_high_bit(std::uint64_t word) { return (word & eight_times(0x80)) != 0; }

}  // namespace nightjar::mqtt
