// What the replays of retained messages may take of their worker's time. When nobody on the node publishes,
// they fill its turns; when somebody does, they take a small part of each millisecond, because a replay of a
// million messages would keep this worker, its client and with them the cores busy that his messages need.
// Measured in topics visited, about a quarter of a microsecond each. Pure; one per worker.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace nightjar::broker {

class ReplayShare {
 public:
  static constexpr std::int64_t kVisitsAlone = 8192;  // a turn: some two milliseconds
  static constexpr std::int64_t kVisitsBeside = 128;  // a millisecond: a twentieth of it
  static constexpr std::int64_t kVisitsOfARead = 4;   // for the read itself
  // A publisher is at work for this long after a message.
  static constexpr Duration kAtWork{100};

  // At the end of each turn, before the replays go on. True: there is a new share, for those that wait too.
  bool renew(MonoTime now, MonoTime last_publish) {
    const bool is_alone = now - last_publish > kAtWork;
    if (!is_alone && now < next_) return false;
    next_ = is_alone ? now : now + Duration{1};
    left_ = is_alone ? kVisitsAlone : kVisitsBeside;
    return true;
  }
  [[nodiscard]] bool is_used_up() const { return left_ <= 0; }
  void take(std::size_t visits) { left_ -= static_cast<std::int64_t>(visits) + kVisitsOfARead; }
  // When those that wait go on.
  [[nodiscard]] MonoTime next() const { return next_; }

 private:
  MonoTime next_{};
  std::int64_t left_ = 0;
};

}  // namespace nightjar::broker
