// A trivial filter that does everything a real one may do: it buffers partial input, splits what it passes
// on, talks to the peer by itself, and has last words.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "net/stream_filter.h"

namespace nightjar::net {

// On the wire: frames of a length byte and up to five bytes in reverse order. Length 0 is the end, 255 a
// greeting that is answered with another.
class FiveByteFrames final : public StreamFilter {
 public:
  static constexpr std::size_t kFrameMax = 5;
  static constexpr char kGreeting = '\xff';

  bool receive(ByteView wire) override {
    buffered_ += as_text(wire);
    if (buffered_.starts_with(kGreeting)) {
      buffered_.erase(0, 1);
      wire_.append(std::string_view(&kGreeting, 1));
    }
    return buffered_.empty() || static_cast<unsigned char>(buffered_[0]) <= kFrameMax;
  }
  [[nodiscard]] bool has_plain() const override {
    return !buffered_.empty() && buffered_.size() > static_cast<unsigned char>(buffered_[0]);
  }
  ByteView next_plain() override {
    const std::size_t size = static_cast<unsigned char>(buffered_[0]);
    plain_ = buffered_.substr(1, size);
    std::reverse(plain_.begin(), plain_.end());
    buffered_.erase(0, 1 + size);
    return as_bytes(plain_);
  }
  void send(ByteView plain) override { wire_.append(frames(as_text(plain))); }
  void finish() override { wire_.u8(0); }
  ByteBuffer& wire() override { return wire_; }

  static std::string frames(std::string_view plain) {
    std::string text;
    for (std::size_t at = 0; at < plain.size(); at += kFrameMax) {
      std::string piece{plain.substr(at, kFrameMax)};
      std::reverse(piece.begin(), piece.end());
      text += static_cast<char>(piece.size()) + piece;
    }
    return text;
  }

 private:
  std::string buffered_;
  std::string plain_;
  ByteBuffer wire_;
};

}  // namespace nightjar::net
