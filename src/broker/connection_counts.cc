#include "broker/connection_counts.h"

#include <utility>

namespace nightjar::broker {

ConnectionCounts::Answer ConnectionCounts::enter(const ListenerPolicy& listener) {
  if (!counts(listener)) return Answer::kWelcome;
  const ShortLockGuard guard(lock_);
  Count& own = by_listener_[&listener];
  own.most = listener.connections_max;
  ++own.now;
  ++all_.now;
  if (!own.is_exceeded() && !all_.is_exceeded()) return Answer::kWelcome;
  Count& exceeded = own.is_exceeded() ? own : all_;
  return std::exchange(exceeded.is_refusal_told, true) ? Answer::kTooMany : Answer::kTooManyAndNew;
}

void ConnectionCounts::leave(const ListenerPolicy& listener) {
  if (!counts(listener)) return;
  const ShortLockGuard guard(lock_);
  for (Count* count : {&by_listener_[&listener], &all_}) {
    // One that was refused leaves a full house behind.
    if (!count->is_exceeded()) count->is_refusal_told = false;
    --count->now;
  }
}

}  // namespace nightjar::broker
