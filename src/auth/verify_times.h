// How long the last verifications took, so that the name of an unknown user costs no hash and yet takes as
// long. Any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

namespace nightjar::auth {

class VerifyTimes {
 public:
  using Span = std::chrono::steady_clock::duration;

  void add(Span span) {
    const std::lock_guard lock(mutex_);
    spans_[count_++ % spans_.size()] = span;
  }
  // One of the last, as `chance` says; nothing before there were enough.
  std::optional<Span> draw(std::uint64_t chance) {
    const std::lock_guard lock(mutex_);
    if (count_ < spans_.size()) return std::nullopt;
    return spans_[chance % spans_.size()];
  }

 private:
  std::mutex mutex_;
  std::array<Span, 16> spans_{};
  std::size_t count_ = 0;
};

}  // namespace nightjar::auth
