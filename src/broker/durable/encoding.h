// Numbers and texts as bytes in a stored record, and back. What is read comes from a disk: the reader never
// leaves its bytes, and says at the end whether they were what they should be. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nightjar::broker {

class RecordWriter {
 public:
  explicit RecordWriter(std::string& out) : out_(out) {}
  void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  // Seven bits a byte, lowest first.
  void number(std::uint64_t value) {
    while (value >= 0x80) {
      u8(static_cast<std::uint8_t>(value | 0x80));
      value >>= 7;
    }
    u8(static_cast<std::uint8_t>(value));
  }
  void text(std::string_view value) {
    number(value.size());
    out_.append(value);
  }
  // In an order that sorts as the numbers do, for keys.
  void ordered(std::uint64_t value, unsigned bytes) {
    while (bytes-- != 0) u8(static_cast<std::uint8_t>(value >> (8 * bytes)));
  }

 private:
  std::string& out_;
};

class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t u8() {
    if (rest_.empty()) return bad();
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t byte = u8();
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return bad();
  }
  // A number that fits into T.
  template <typename T>
  T number_as() {
    const std::uint64_t value = number();
    return value == static_cast<T>(value) ? static_cast<T>(value) : static_cast<T>(bad());
  }
  std::string_view text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) {
      bad();
      return {};
    }
    const std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
  }
  std::uint64_t ordered(unsigned bytes) {
    std::uint64_t value = 0;
    while (bytes-- != 0) value = value << 8 | u8();
    return value;
  }
  // The rest up to the first zero byte, which is skipped.
  std::string_view until_zero() {
    const std::size_t end = rest_.find('\0');
    if (end == std::string_view::npos) {
      bad();
      return {};
    }
    const std::string_view value = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return value;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  // Everything asked for was there.
  [[nodiscard]] bool is_good() const { return is_good_; }
  std::uint8_t bad() {
    is_good_ = false;
    rest_ = {};
    return 0;
  }

 private:
  std::string_view rest_;
  bool is_good_ = true;
};

}  // namespace nightjar::broker
