#include "base/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace nightjar {
namespace {

// Keeps the order of signed times as unsigned numbers, whose digits the wheel needs.
constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
constexpr std::uint64_t to_digits(MonoTime at) { return static_cast<std::uint64_t>(at.ms) ^ kSignBit; }
constexpr MonoTime from_digits(std::uint64_t digits) {
  return {static_cast<std::int64_t>(digits ^ kSignBit)};
}

}  // namespace

void Timer::cancel() {
  if (wheel_ != nullptr) wheel_->unlink(*this);
}

TimerWheel::TimerWheel(MonoTime start) : now_(to_digits(start)) {}

TimerWheel::~TimerWheel() {
  for (Slot& slot : slots_) {
    while (slot.ring.next != &slot.ring) unlink(*static_cast<Timer*>(slot.ring.next));
  }
  while (due_.next != &due_) unlink(*static_cast<Timer*>(due_.next));
}

void TimerWheel::arm(Timer& timer, MonoTime deadline) {
  timer.cancel();
  timer.wheel_ = this;
  timer.deadline_ = deadline;
  place(timer);
}

void TimerWheel::advance(MonoTime now) {
  const std::uint64_t target = std::max(to_digits(now), now_);
  for (unsigned level = nearest_level(); level < kLevels; level = nearest_level()) {
    const unsigned slot = nearest_slot(level);
    const std::uint64_t begins = slot_begins(level, slot);
    if (begins > target) break;
    now_ = begins;
    open_slot(level, slot);
  }
  now_ = target;
  while (due_.next != &due_) {
    Timer& timer = *static_cast<Timer*>(due_.next);
    unlink(timer);
    timer.callback_(timer.context_);
  }
}

MonoTime TimerWheel::next_deadline() const {
  const unsigned level = nearest_level();
  if (level == kLevels) return kNever;
  return from_digits(slots_[level * kSlotsPerLevel + nearest_slot(level)].earliest);
}

MonoTime TimerWheel::now() const { return from_digits(now_); }

void TimerWheel::place(Timer& timer) {
  const std::uint64_t deadline = std::max(to_digits(timer.deadline_), now_);
  const std::uint64_t difference = deadline ^ now_;
  const unsigned level =
      difference == 0 ? 0 : (static_cast<unsigned>(std::bit_width(difference)) - 1) / kDigitBits;
  const unsigned digit = static_cast<unsigned>(deadline >> (level * kDigitBits)) % kSlotsPerLevel;
  Slot& slot = slots_[level * kSlotsPerLevel + digit];
  const bool was_empty = slot.ring.next == &slot.ring;
  slot.earliest = was_empty ? deadline : std::min(slot.earliest, deadline);
  occupied_[level] |= std::uint64_t{1} << digit;
  timer.slot_ = static_cast<std::uint16_t>(level * kSlotsPerLevel + digit);
  append(slot.ring, timer);
}

void TimerWheel::unlink(Timer& timer) {
  timer.previous->next = timer.next;
  timer.next->previous = timer.previous;
  timer.previous = timer.next = &timer;
  timer.wheel_ = nullptr;
  if (timer.slot_ == kDueSlot) return;
  const Link& ring = slots_[timer.slot_].ring;
  if (ring.next != &ring) return;
  occupied_[timer.slot_ / kSlotsPerLevel] &= ~(std::uint64_t{1} << (timer.slot_ % kSlotsPerLevel));
}

void TimerWheel::append(Link& ring, Timer& timer) {
  timer.previous = ring.previous;
  timer.next = &ring;
  ring.previous->next = &timer;
  ring.previous = &timer;
}

unsigned TimerWheel::nearest_level() const {
  unsigned level = 0;
  while (level < kLevels && occupied_[level] == 0) ++level;
  return level;
}

unsigned TimerWheel::nearest_slot(unsigned level) const {
  return static_cast<unsigned>(std::countr_zero(occupied_[level]));
}

std::uint64_t TimerWheel::slot_begins(unsigned level, unsigned slot) const {
  const unsigned shift = level * kDigitBits;
  const std::uint64_t above =
      shift + kDigitBits >= 64 ? 0 : now_ >> (shift + kDigitBits) << (shift + kDigitBits);
  return above | std::uint64_t{slot} << shift;
}

// The slot's time has come: its timers are due, or belong on lower levels now.
void TimerWheel::open_slot(unsigned level, unsigned slot) {
  Link& ring = slots_[level * kSlotsPerLevel + slot].ring;
  while (ring.next != &ring) {
    Timer& timer = *static_cast<Timer*>(ring.next);
    unlink(timer);
    timer.wheel_ = this;
    if (level == 0) {
      timer.slot_ = kDueSlot;
      append(due_, timer);
    } else {
      place(timer);
    }
  }
}

}  // namespace nightjar
