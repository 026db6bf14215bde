// How far a publisher may be ahead of the slowest receiver of its messages, so that a flood at QoS 0 loses
// nothing although nobody acknowledges. The publisher's thread asks, the threads of receivers report.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

#include "cli/bench/plan.h"

namespace nightjar::cli::bench {

class Window {
 public:
  Window(std::uint32_t messages, std::uint32_t receivers, Spread spread)
      : messages_(std::max(messages, 1U)),
        receivers_(spread == Spread::kEach ? receivers : 1),
        chunk_bits_(static_cast<unsigned>(std::bit_width(std::max(messages_ / kChunks, 1U))) - 1) {}

  // Messages that the publisher may send now, who has sent `sent`. It grows by whole chunks, so that they
  // leave in batches.
  [[nodiscard]] std::uint64_t room(std::uint64_t sent) const {
    const std::uint64_t limit = released_.load(std::memory_order_relaxed) + messages_;
    return limit > sent ? limit - sent : 0;
  }
  // Of one receiver: it has got everything below `after`, before below `before`. True if there is room again.
  bool advance(std::uint64_t before, std::uint64_t after) {
    bool is_released = false;
    for (std::uint64_t chunk = before >> chunk_bits_; chunk < after >> chunk_bits_; ++chunk) {
      std::atomic<std::uint32_t>& done = done_[chunk % done_.size()];
      if (done.fetch_add(1, std::memory_order_relaxed) + 1 < receivers_) continue;
      done.fetch_sub(receivers_, std::memory_order_relaxed);
      release((chunk + 1) << chunk_bits_);
      is_released = true;
    }
    return is_released;
  }
  // Of all receivers together, where each message goes to one.
  bool add(std::uint64_t count) {
    const std::uint64_t before = total_.fetch_add(count, std::memory_order_relaxed);
    const std::uint64_t after = before + count;
    if (before >> chunk_bits_ == after >> chunk_bits_) return false;
    release(after);
    return true;
  }
  // Stops waiting for what is still on its way: it will not come.
  void give_up(std::uint64_t sent) {
    total_.store(sent, std::memory_order_relaxed);
    release(sent);
  }

 private:
  static constexpr std::uint32_t kChunks = 4;

  void release(std::uint64_t upto) {
    std::uint64_t old = released_.load(std::memory_order_relaxed);
    while (old < upto && !released_.compare_exchange_weak(old, upto, std::memory_order_relaxed)) {
    }
  }

  std::uint32_t messages_;
  std::uint32_t receivers_;
  unsigned chunk_bits_;
  std::atomic<std::uint64_t> released_{0};  // messages that every receiver has
  std::atomic<std::uint64_t> total_{0};
  // Receivers that have a chunk. No receiver is more chunks ahead of another than a window has, and a few
  // more.
  std::array<std::atomic<std::uint32_t>, 4 * kChunks> done_{};
};

}  // namespace nightjar::cli::bench
