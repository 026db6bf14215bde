// What becomes durable together, or not at all: the changes of one turn of one worker, its origin, and those
// that other workers make because of what the origin sent them in that turn. Each worker has a part of its
// own, which it alone writes until it has handed it in; the store reads the commit when all parts are in.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "broker/durable/changes.h"
#include "broker/ids.h"

namespace nightjar::broker {

// Counts the commits of one origin from 1.
using CommitNumber = std::uint64_t;

// No commit has this number: for what waits until somebody says that it need not any more.
inline constexpr CommitNumber kNeverDurable = UINT64_MAX;

// Names a commit; number 0 is none, which has always happened.
struct CommitPoint {
  WorkerIndex origin;
  CommitNumber number = 0;
};

class Commit {
 public:
  Commit(WorkerIndex origin, CommitNumber number, std::uint16_t workers)
      : at_{origin, number}, parts_(workers) {}

  [[nodiscard]] const CommitPoint& at() const { return at_; }
  [[nodiscard]] Changes& part(WorkerIndex worker) { return parts_[worker.value]; }
  [[nodiscard]] const std::vector<Changes>& parts() const { return parts_; }
  // Who has a part and wants to hear when it is durable; the origin always has.
  [[nodiscard]] WorkerSet workers() const { return workers_.load(std::memory_order_relaxed); }
  // By a worker whose own part is not handed in, before the other one can know of it.
  void add_part(WorkerIndex worker) {
    workers_.fetch_or(bit(worker), std::memory_order_relaxed);
    open_parts_.fetch_add(1, std::memory_order_relaxed);
  }
  // By the origin, before it hands in its part: this commit must not be durable before that one, because it
  // holds what came out of it. Such points lie in what the origin has heard of, so they never form a circle.
  void depend(const CommitPoint& earlier) { earlier_.push_back(earlier); }
  [[nodiscard]] const std::vector<CommitPoint>& earlier() const { return earlier_; }
  // By each worker that has a part, once. True for the last one, who tells the store.
  [[nodiscard]] bool hand_in() { return open_parts_.fetch_sub(1, std::memory_order_acq_rel) == 1; }
  // After all parts are in.
  [[nodiscard]] bool empty() const {
    for (const Changes& part : parts_) {
      if (!part.empty()) return false;
    }
    return true;
  }

 private:
  const CommitPoint at_;
  std::vector<Changes> parts_;
  std::vector<CommitPoint> earlier_;
  std::atomic<WorkerSet> workers_{bit(at_.origin)};
  std::atomic<std::uint32_t> open_parts_{1};
};

}  // namespace nightjar::broker
