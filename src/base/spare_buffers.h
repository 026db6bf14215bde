// Memory of buffers that have run empty, kept for the next ones that need some: connections send at different
// times, so a few warm buffers serve all of a worker's connections, and an idle one holds none. Lives on one
// worker.
#pragma once

#include <cstddef>
#include <vector>

#include "base/bytes.h"

namespace nightjar {

class SpareBuffers {
 public:
  // A larger one goes back to the heap: it served a peak.
  static constexpr std::size_t kBufferBytesMax = 512 * 1024;
  // Of all that is kept; about what a flood over some hundred connections has under way in one turn.
  static constexpr std::size_t kBytesMax = 8 * 1024 * 1024;

  // Gives a buffer without memory some to begin with, if there is any.
  void lend(ByteBuffer& buffer) {
    if (spares_.empty()) return;
    buffer.swap(spares_.back());
    spares_.pop_back();
    bytes_ -= buffer.capacity();
  }
  // Takes the memory of an empty buffer.
  void take_back(ByteBuffer& buffer) {
    const std::size_t capacity = buffer.capacity();
    if (capacity == 0) return;
    if (capacity > kBufferBytesMax || bytes_ + capacity > kBytesMax) return buffer.release();
    buffer.clear();
    bytes_ += capacity;
    spares_.push_back(std::move(buffer));
  }
  // Gives everything back to the heap.
  void clear() {
    std::vector<ByteBuffer>().swap(spares_);
    bytes_ = 0;
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::vector<ByteBuffer> spares_;
  std::size_t bytes_ = 0;
};

}  // namespace nightjar
