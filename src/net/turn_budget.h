// Time for rare heavy work, such as the public key part of a handshake, in one turn of a worker: when it is
// used up the work waits for the next turn, so that those who are in are served between any two strangers.
// One budget for each thread, found through the thread. A thread without turns has no limit.
#pragma once

#include <chrono>

namespace nightjar::net {

class TurnBudget {
 public:
  // Less than a whole handshake takes, so that those who are in wait for one stranger at most; several that
  // resume a session fit. The work that begins within the time may end behind it.
  static constexpr std::chrono::microseconds kTurn{100};

  // At the start of a turn.
  static void renew() { left() = kTurn; }
  [[nodiscard]] static bool is_spent() { return left().count() <= 0; }
  // Nothing more begins in this turn.
  static void use_up() { left() = {}; }

  // Charges the time of its own life.
  class Spending {
   public:
    Spending() = default;
    ~Spending() { left() -= std::chrono::steady_clock::now() - started_; }
    Spending(const Spending&) = delete;
    Spending& operator=(const Spending&) = delete;

   private:
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  };

 private:
  static std::chrono::nanoseconds& left() {
    thread_local std::chrono::nanoseconds t_left = std::chrono::hours(24 * 365);
    return t_left;
  }
};

}  // namespace nightjar::net
