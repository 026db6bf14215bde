// Takes the fields of a packet body from the front, bounds-checked. Private to the package; pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "mqtt/reason_code.h"
#include "mqtt/types.h"
#include "mqtt/utf8.h"

namespace nightjar::mqtt {

// Each method takes one field, or returns why it is not there. Views point into the bytes given.
class Cursor {
 public:
  explicit Cursor(ByteView in) : rest_(in) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  // What is left, for functions that take their part from the front of a view themselves.
  ByteView& rest() { return rest_; }

  Parsed<std::uint8_t> u8() {
    if (rest_.empty()) return malformed("packet ends inside a byte field");
    return std::to_integer<std::uint8_t>(take(1)[0]);
  }
  Parsed<std::uint16_t> u16() {
    if (rest_.size() < 2) return malformed("packet ends inside a two byte integer");
    const ByteView bytes = take(2);
    return static_cast<std::uint16_t>((std::to_integer<unsigned>(bytes[0]) << 8) |
                                      std::to_integer<unsigned>(bytes[1]));
  }
  Parsed<std::uint32_t> u32() {
    if (rest_.size() < 4) return malformed("packet ends inside a four byte integer");
    const ByteView bytes = take(4);
    return (std::to_integer<std::uint32_t>(bytes[0]) << 24) |
           (std::to_integer<std::uint32_t>(bytes[1]) << 16) |
           (std::to_integer<std::uint32_t>(bytes[2]) << 8) | std::to_integer<std::uint32_t>(bytes[3]);
  }
  // Binary data: a length of two bytes, then the data.
  Parsed<ByteView> binary() {
    if (rest_.size() < 2) return malformed("packet ends inside a length");
    const std::size_t size =
        (std::to_integer<std::size_t>(rest_[0]) << 8) | std::to_integer<std::size_t>(rest_[1]);
    if (rest_.size() - 2 < size) return malformed("packet ends inside a string or binary field");
    return take(2 + size).subspan(2);
  }
  Parsed<std::string_view> utf8_string() {
    NJ_TRY(const ByteView bytes, binary());
    if (!is_valid_utf8(as_text(bytes))) return malformed("ill-formed UTF-8 string [MQTT-1.5.4-1]");
    return as_text(bytes);
  }
  Parsed<PacketId> packet_id() {
    NJ_TRY(const std::uint16_t number, u16());
    if (number == 0) return protocol_error("packet identifier 0 [MQTT-2.2.1-3]");
    return PacketId{number};
  }
  // Nothing may follow the last field.
  [[nodiscard]] Parsed<void> end() const {
    if (!rest_.empty()) return malformed("bytes behind the last field of the packet");
    return {};
  }

 private:
  // The first `count` bytes, which are there.
  ByteView take(std::size_t count) {
    const ByteView front = rest_.first(count);
    rest_ = rest_.subspan(count);
    return front;
  }

  ByteView rest_;
};

}  // namespace nightjar::mqtt
