#include "mqtt/utf8.h"

#include <cstddef>
#include <cstdint>

#include "mqtt/eight_bytes.h"

namespace nightjar::mqtt {
namespace {

bool is_continuation(std::uint8_t byte) { return (byte & 0xC0) == 0x80; }

// Length of the well-formed character of two to four bytes at the front of `at`, else 0. The bounds of the
// second byte shut out overlong forms, surrogates and what lies above U+10FFFF (Unicode, table 3-7).
std::size_t multibyte_size(const std::uint8_t* at, std::size_t left) {
  const std::uint8_t lead = at[0];
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (left < size) return 0;
  const std::uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (at[1] < low || at[1] > high) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if (!is_continuation(at[i])) return 0;
  }
  return size;
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    if (text.size() - i >= 8) {
      const std::uint64_t word = load_eight(text.data() + i);
      if (!has_high_bit(word) && !has_zero(word)) {  // plain ASCII
        i += 8;
        continue;
      }
    }
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if (byte == 0) return false;
    if (byte < 0x80) {
      ++i;
      continue;
    }
    const std::size_t size =
        multibyte_size(reinterpret_cast<const std::uint8_t*>(text.data()) + i, text.size() - i);
    if (size == 0) return false;
    i += size;
  }
  return true;
}

}  // namespace nightjar::mqtt
