// Keeps strangers from filling the log: a few lines at once, then one for each interval, and none is left out
// without being counted. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace nightjar::net {

class LogThrottle {
 public:
  static constexpr int kAtOnce = 10;
  static constexpr std::int64_t kIntervalMs = 10'000;

  // Whether a line may be written now. `left_out` gets the number of those that were not since the last one.
  bool admits(std::uint64_t& left_out) {
    const std::int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                                 std::chrono::steady_clock::now().time_since_epoch())
                                 .count();
    std::int64_t started = started_ms_.load(std::memory_order_relaxed);
    if (now - started >= kIntervalMs && started_ms_.compare_exchange_strong(started, now)) written_ = 0;
    if (written_.fetch_add(1) >= kAtOnce) {
      left_out_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    left_out = left_out_.exchange(0, std::memory_order_relaxed);
    return true;
  }

 private:
  std::atomic<std::int64_t> started_ms_{-kIntervalMs};
  std::atomic<int> written_{0};
  std::atomic<std::uint64_t> left_out_{0};
};

}  // namespace nightjar::net
