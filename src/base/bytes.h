// Byte views and the one growable byte buffer of the code base.
// Values without locks: a buffer belongs to whoever holds it, one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace nightjar {

using ByteView = std::span<const std::byte>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Bytes appended at the back and consumed at the front. An empty buffer that was released holds no
// heap memory, so an idle connection costs none. Integers are written in network order. It holds less than
// 4 GiB, sixteen times what an MQTT packet can be: every buffer has a limit far below that.
class ByteBuffer {
 public:
  ByteBuffer() = default;
  ByteBuffer(ByteBuffer&& other) noexcept { swap(other); }
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ByteBuffer(const ByteBuffer&) = delete;
  ByteBuffer& operator=(const ByteBuffer&) = delete;

  [[nodiscard]] std::size_t size() const { return std::size_t{end_} - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] ByteView view() const { return {memory_.get() + begin_, size()}; }
  [[nodiscard]] std::byte* data() { return memory_.get() + begin_; }

  // Room for `count` bytes behind the end; valid until the next call that appends. Follow with commit().
  std::byte* prepare(std::size_t count) {
    if (std::size_t{capacity_} - end_ < count) grow(count);
    return memory_.get() + end_;
  }
  // The same, with memory for just so many bytes: for a packet whose length is known.
  std::byte* prepare_exactly(std::size_t count) {
    if (std::size_t{capacity_} - end_ < count) move_to(size() + count);
    return memory_.get() + end_;
  }
  void commit(std::size_t count) { end_ += static_cast<std::uint32_t>(count); }

  void append(ByteView bytes) {
    if (bytes.empty()) return;
    std::memcpy(prepare(bytes.size()), bytes.data(), bytes.size());
    commit(bytes.size());
  }
  void append(std::string_view text) { append(as_bytes(text)); }
  void u8(std::uint8_t value) {
    *prepare(1) = static_cast<std::byte>(value);
    ++end_;
  }
  void u16(std::uint16_t value) {
    std::byte* at = prepare(2);
    at[0] = static_cast<std::byte>(value >> 8);
    at[1] = static_cast<std::byte>(value & 0xff);
    end_ += 2;
  }
  void u32(std::uint32_t value) {
    u16(static_cast<std::uint16_t>(value >> 16));
    u16(static_cast<std::uint16_t>(value & 0xffff));
  }

  // Drops `count` bytes from the front.
  void consume(std::size_t count) {
    begin_ += static_cast<std::uint32_t>(count);
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Drops what lies behind the first `size` bytes.
  void truncate(std::size_t size) { end_ = begin_ + static_cast<std::uint32_t>(size); }
  void clear() { begin_ = end_ = 0; }
  // Gives the heap memory back; call when empty and expected to stay so.
  void release() {
    memory_.reset();
    begin_ = end_ = capacity_ = 0;
  }
  void swap(ByteBuffer& other) noexcept {
    memory_.swap(other.memory_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(capacity_, other.capacity_);
  }

 private:
  void grow(std::size_t count) {
    const std::size_t used = size();
    std::size_t wanted = capacity_;
    if (capacity_ - used < count || begin_ < capacity_ / 2) {
      wanted = capacity_ < 256 ? 256 : std::size_t{capacity_} * 2;
      while (wanted - used < count) wanted *= 2;
      return move_to(wanted > kBytesMax ? used + count : wanted);
    }
    if (used != 0) std::memmove(memory_.get(), memory_.get() + begin_, used);
    begin_ = 0;
    end_ = static_cast<std::uint32_t>(used);
  }
  void move_to(std::size_t capacity) {
    if (capacity > kBytesMax) throw std::length_error("ByteBuffer");
    const std::size_t used = size();
    std::unique_ptr<std::byte[]> larger{new std::byte[capacity]};
    if (used != 0) std::memcpy(larger.get(), memory_.get() + begin_, used);
    memory_ = std::move(larger);
    capacity_ = static_cast<std::uint32_t>(capacity);
    begin_ = 0;
    end_ = static_cast<std::uint32_t>(used);
  }

  static constexpr std::size_t kBytesMax = UINT32_MAX;

  std::unique_ptr<std::byte[]> memory_;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace nightjar
