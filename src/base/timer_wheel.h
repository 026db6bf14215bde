// Timers of one worker: a hierarchical wheel in milliseconds. Arming and cancelling cost the same whatever
// the number of timers, and allocate nothing: a Timer is a node that its owner keeps as a member.
// Single-threaded: a wheel and the timers armed on it belong to one worker at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace nightjar {

class TimerWheel;

namespace timer_wheel_detail {
// A place in a ring of timers; a ring that is empty points at itself.
struct Link {
  Link* previous = this;
  Link* next = this;
};
}  // namespace timer_wheel_detail

// One deadline and what to call when it has come. Not armed at first, and no more when its callback begins,
// which may therefore arm it again or destroy it. Destroying an armed timer cancels it.
class Timer : private timer_wheel_detail::Link {
 public:
  using Callback = void (*)(void* context);
  Timer(Callback callback, void* context) : callback_(callback), context_(context) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // As a member initializer: Timer keep_alive_ = Timer::calling<&Connection::on_keep_alive>(*this);
  template <auto Method, typename Owner>
  static Timer calling(Owner& owner) {
    return {[](void* context) { (static_cast<Owner*>(context)->*Method)(); }, &owner};
  }

  [[nodiscard]] bool is_armed() const { return wheel_ != nullptr; }
  // Meaningful while the timer is armed.
  [[nodiscard]] MonoTime deadline() const { return deadline_; }
  // Does nothing if the timer is not armed.
  void cancel();

 private:
  friend class TimerWheel;
  Callback callback_;
  void* context_;
  TimerWheel* wheel_ = nullptr;
  MonoTime deadline_;
  std::uint16_t slot_ = 0;
};

class TimerWheel {
 public:
  // `start` is the time that the wheel counts from.
  explicit TimerWheel(MonoTime start);
  // Timers that are still armed are cancelled.
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Moves the timer if it is armed already, on whichever wheel. A deadline that has passed is due at the next
  // advance(); any deadline up to kNever is fine.
  void arm(Timer& timer, MonoTime deadline);
  void cancel(Timer& timer) { timer.cancel(); }

  // Calls what is due at `now`: by deadline, equal deadlines in the order of arming. A timer that a callback
  // arms is never called by the same advance(), so that no callback can hold the worker in here. Not from a
  // callback.
  void advance(MonoTime now);

  // No timer is due before this; kNever if none is armed. Exact, except that it may be early by less than the
  // slot that holds the nearest timer after that slot's earliest timer was cancelled or moved.
  [[nodiscard]] MonoTime next_deadline() const;
  // The latest time seen by advance().
  [[nodiscard]] MonoTime now() const;

 private:
  friend class Timer;
  using Link = timer_wheel_detail::Link;
  // Time is read as digits of base 64. A timer waits on the level of the highest digit in which its deadline
  // differs from the present, in the slot of that digit; so all of one level precede all of the next.
  static constexpr unsigned kDigitBits = 6;
  static constexpr unsigned kSlotsPerLevel = 1u << kDigitBits;
  static constexpr unsigned kLevels = (64 + kDigitBits - 1) / kDigitBits;
  static constexpr std::uint16_t kDueSlot = kLevels * kSlotsPerLevel;  // the ring of timers being called

  struct Slot {
    Link ring;
    std::uint64_t earliest = 0;  // no member's deadline lies before; meaningful while the ring is not empty
  };

  void place(Timer& timer);
  void unlink(Timer& timer);
  static void append(Link& ring, Timer& timer);
  // The lowest level in use, or kLevels.
  [[nodiscard]] unsigned nearest_level() const;
  [[nodiscard]] unsigned nearest_slot(unsigned level) const;
  [[nodiscard]] std::uint64_t slot_begins(unsigned level, unsigned slot) const;
  void open_slot(unsigned level, unsigned slot);

  std::uint64_t now_;                              // as an ordered unsigned number of milliseconds
  std::array<std::uint64_t, kLevels> occupied_{};  // a bit a slot
  std::array<Slot, kLevels * kSlotsPerLevel> slots_;
  Link due_;
};

}  // namespace nightjar
