// What one connection takes of the node's budget for connections without an accepted CONNECT, beside what the
// core counts itself: memory of filters. A share belongs to one thread at a time, the budget to all.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace nightjar::net {

struct StrangerBudget {
  std::atomic<std::int64_t>* held = nullptr;  // null: nobody counts
  std::int64_t bytes_max = 0;
};

class StrangerShare {
 public:
  explicit StrangerShare(const StrangerBudget& budget) : held_(budget.held), bytes_max_(budget.bytes_max) {}
  ~StrangerShare() { give_back(); }
  StrangerShare(const StrangerShare&) = delete;
  StrangerShare& operator=(const StrangerShare&) = delete;

  // Changes the share to `bytes`. False: the budget is used up, and the share stays as it was. To take less
  // always succeeds.
  [[nodiscard]] bool resize(std::uint32_t bytes) {
    if (held_ == nullptr) return true;
    const std::int64_t change = std::int64_t{bytes} - bytes_;
    const std::int64_t before = held_->fetch_add(change, std::memory_order_relaxed);
    if (change > 0 && before + change > bytes_max_) {
      held_->fetch_sub(change, std::memory_order_relaxed);
      return false;
    }
    bytes_ = bytes;
    return true;
  }
  void give_back() {
    if (bytes_ != 0) held_->fetch_sub(std::exchange(bytes_, 0), std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t>* held_;
  std::int64_t bytes_max_;
  std::uint32_t bytes_ = 0;
};

}  // namespace nightjar::net
