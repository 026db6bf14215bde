// A lock for critical sections of microseconds, made of one atomic word, so that the core needs no thread
// header. Any thread. Not recursive; not fair.
#pragma once

#include <atomic>
#include <cstdint>

namespace nightjar {

class ShortLock {
 public:
  ShortLock() = default;
  ShortLock(const ShortLock&) = delete;
  ShortLock& operator=(const ShortLock&) = delete;

  void lock() {
    for (unsigned tries = 0; tries < kTriesBeforeSleep; ++tries) {
      if (try_lock()) return;
    }
    while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
      state_.wait(kContended, std::memory_order_relaxed);
    }
  }
  [[nodiscard]] bool try_lock() {
    std::uint32_t expected = kFree;
    return state_.load(std::memory_order_relaxed) == kFree &&
           state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                          std::memory_order_relaxed);
  }
  void unlock() {
    if (state_.exchange(kFree, std::memory_order_release) == kContended) state_.notify_one();
  }

 private:
  // About a microsecond: as long as a critical section lasts that is worth waiting for awake.
  static constexpr unsigned kTriesBeforeSleep = 200;
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kContended = 2;  // held, and somebody may sleep
  std::atomic<std::uint32_t> state_{kFree};
};

// Holds the lock for the rest of the scope.
class ShortLockGuard {
 public:
  explicit ShortLockGuard(ShortLock& lock) : lock_(lock) { lock_.lock(); }
  ~ShortLockGuard() { lock_.unlock(); }
  ShortLockGuard(const ShortLockGuard&) = delete;
  ShortLockGuard& operator=(const ShortLockGuard&) = delete;

 private:
  ShortLock& lock_;
};

}  // namespace nightjar
