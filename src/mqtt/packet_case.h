// One packet case: bytes in a short notation and what a reader must make of them. For tests and fuzz targets.
#pragma once

#include <cctype>
#include <cstdint>
#include <string>
#include <string_view>

#include "mqtt/reason_code.h"
#include "mqtt/types.h"

namespace nightjar::mqtt {

enum class Outcome : std::uint8_t {
  kCanonical,  // accepted, and the writer chooses the same bytes
  kAccepted,   // accepted; the writer has another form for it
  kRefused,
};

struct PacketCase {
  std::string_view name;
  Version version;
  // Bytes in hexadecimal, and three forms that save counting:
  // 'abc' plain text, (abc) a string with its two byte length, {…} anything with its length as a variable
  // byte integer, as Remaining Length or property list.
  std::string_view bytes;
  Outcome outcome;
  // Accepted: the packet as to_text shows it. Refused: the rule that the violation names.
  std::string_view expected;
  ReasonCode code = ReasonCode::kSuccess;  // refused: the reason
  Sender sender = Sender::kClient;
};

namespace detail {

inline int hex_digit(char c) {
  return c <= '9' ? c - '0' : std::toupper(static_cast<unsigned char>(c)) - 'A' + 10;
}

// The text up to the closing mark, which is taken as well.
inline std::string_view take_until(std::string_view& notation, char mark) {
  const std::size_t end = notation.find(mark);
  const std::string_view text = notation.substr(0, end);
  notation.remove_prefix(end + 1);
  return text;
}

inline std::string length_prefix(std::size_t size) {
  std::string prefix;
  do {
    prefix += static_cast<char>((size & 0x7f) | (size > 0x7f ? 0x80 : 0));
    size >>= 7;
  } while (size > 0);
  return prefix;
}

// The bytes up to the end or to the closing brace, which is taken as well.
inline std::string take_bytes(std::string_view& notation) {
  std::string bytes;
  while (!notation.empty()) {
    const char c = notation.front();
    notation.remove_prefix(1);
    if (c == ' ') continue;
    if (c == '}') break;
    if (c == '{') {
      const std::string inner = take_bytes(notation);
      bytes += length_prefix(inner.size()) + inner;
    } else if (c == '(') {
      const std::string_view text = take_until(notation, ')');
      bytes += static_cast<char>(text.size() >> 8);
      bytes += static_cast<char>(text.size() & 0xff);
      bytes += text;
    } else if (c == '\'') {
      bytes += take_until(notation, '\'');
    } else {
      bytes += static_cast<char>(hex_digit(c) * 16 + hex_digit(notation.front()));
      notation.remove_prefix(1);
    }
  }
  return bytes;
}

}  // namespace detail

inline std::string bytes_of(std::string_view notation) { return detail::take_bytes(notation); }

}  // namespace nightjar::mqtt
