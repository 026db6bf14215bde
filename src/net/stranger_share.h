// What one connection takes of the node's budget for connections without an accepted CONNECT, beside what the
// core counts itself: memory of filters. Those who wait for their handshake and those whose handshake is
// under way have parts of their own, so that neither can take all room from the other. A share belongs to one
// thread at a time, the budget to all.
#pragma once

#include <atomic>
#include <cstdint>

namespace nightjar::net {

enum class StrangerStage : std::uint8_t { kHello, kHandshake };

// What is taken of the two parts, by all connections of the node.
struct StrangerBytes {
  std::atomic<std::int64_t> hellos{0};
  std::atomic<std::int64_t> handshakes{0};
};

struct StrangerBudget {
  StrangerBytes* held = nullptr;               // null: nobody counts
  std::atomic<std::int64_t>* total = nullptr;  // with what the core counts
  std::int64_t hello_bytes_max = 0;
  std::int64_t handshake_bytes_max = 0;

  [[nodiscard]] std::atomic<std::int64_t>& held_at(StrangerStage stage) const {
    return stage == StrangerStage::kHello ? held->hellos : held->handshakes;
  }
  [[nodiscard]] std::int64_t bytes_max(StrangerStage stage) const {
    return stage == StrangerStage::kHello ? hello_bytes_max : handshake_bytes_max;
  }
  friend bool operator==(const StrangerBudget&, const StrangerBudget&) = default;
};

class StrangerShare {
 public:
  // `budget` outlives this.
  explicit StrangerShare(const StrangerBudget& budget) : budget_(budget) {}
  ~StrangerShare() { give_back(); }
  StrangerShare(const StrangerShare&) = delete;
  StrangerShare& operator=(const StrangerShare&) = delete;

  // Changes the share to `bytes` of this part. False: the part is used up, and the share stays as it was. To
  // take less of the same part always succeeds.
  [[nodiscard]] bool resize(StrangerStage stage, std::uint32_t bytes) {
    if (budget_.held == nullptr) return true;
    const std::int64_t change = std::int64_t{bytes} - (stage == stage_ ? bytes_ : 0);
    std::atomic<std::int64_t>& held = budget_.held_at(stage);
    const std::int64_t before = held.fetch_add(change, std::memory_order_relaxed);
    if (change > 0 && before + change > budget_.bytes_max(stage)) {
      held.fetch_sub(change, std::memory_order_relaxed);
      return false;
    }
    if (stage != stage_) budget_.held_at(stage_).fetch_sub(bytes_, std::memory_order_relaxed);
    budget_.total->fetch_add(std::int64_t{bytes} - bytes_, std::memory_order_relaxed);
    stage_ = stage;
    bytes_ = bytes;
    return true;
  }
  void give_back() {
    if (bytes_ != 0) static_cast<void>(resize(stage_, 0));
  }

 private:
  const StrangerBudget& budget_;
  std::uint32_t bytes_ = 0;
  StrangerStage stage_ = StrangerStage::kHello;
};

}  // namespace nightjar::net
