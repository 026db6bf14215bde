// The commits that are announced and not yet durable, for a Store: those of one origin become durable in the
// order of their numbers, whichever is complete first, and an empty one as soon as everything before it is.
// Any thread may call any method.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/short_lock.h"
#include "broker/durable/commit.h"

namespace nightjar::broker {

class CommitOrder {
 public:
  CommitOrder() = default;
  CommitOrder(const CommitOrder&) = delete;
  CommitOrder& operator=(const CommitOrder&) = delete;

  // In the order of the numbers of each origin.
  void announce(std::shared_ptr<Commit> commit);
  // All parts are handed in.
  enum class Ready : std::uint8_t {
    kIsDurable,  // it was empty and everything before it is durable: committed() has advanced
    kWaits,      // empty, behind others
    kIsToWrite
  };
  // Adds to `to_tell` the workers that wait to hear that committed() has advanced, but for the origin of a
  // commit of which it has the only part: that is who calls.
  Ready ready(const Commit& commit, WorkerSet& to_tell);
  // All that may be written now; afterwards written() is called with the same, or unwritten().
  std::vector<std::shared_ptr<Commit>> take();
  // They are durable. Returns the workers that wait to hear of it.
  WorkerSet written(const std::vector<std::shared_ptr<Commit>>& commits);
  // They could not be written: the next take() brings them again.
  void unwritten(const std::vector<std::shared_ptr<Commit>>& commits);

  // The last take() left something that has to come behind a commit which was not complete. Should that one
  // turn out empty, nobody has to write it, but what it held up is to be taken.
  [[nodiscard]] bool is_blocked() const { return is_blocked_.load(std::memory_order_acquire); }
  [[nodiscard]] CommitNumber committed(WorkerIndex origin) const {
    return lines_[origin.value].committed.load(std::memory_order_acquire);
  }

 private:
  enum class State : std::uint8_t { kOpen, kReady, kBeingWritten, kWritten };
  struct Waiting {
    std::shared_ptr<Commit> commit;
    State state = State::kOpen;
    bool is_empty = false;
  };
  // Numbers of the waiting ones are consecutive, the first is committed + 1.
  struct alignas(64) Line {
    std::deque<Waiting> waiting;
    std::atomic<CommitNumber> committed{0};
  };

  void take_from(Line& line, std::vector<std::shared_ptr<Commit>>& taken);
  [[nodiscard]] bool is_before(const CommitPoint& point) const;
  Waiting& place_of(const Commit& commit);
  // Lets through what is durable at the front; returns whether there was any.
  static WorkerSet advance(Line& line);

  std::atomic<bool> is_blocked_{false};
  ShortLock lock_;
  std::array<Line, kWorkersMax> lines_;
};

}  // namespace nightjar::broker
