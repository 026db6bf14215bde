#include "broker/connection_counts.h"

#include <utility>

namespace nightjar::broker {

ConnectionCounts::Answer ConnectionCounts::enter(const ListenerPolicy& listener, std::uint32_t all_max) {
  const std::uint32_t own_max = listener.connections_max;
  if (own_max == 0 && all_max == 0) return Answer::kNotCounted;
  const ShortLockGuard guard(lock_);
  Count& own = by_listener_[listener.name];
  ++own.now;
  ++all_.now;
  const bool is_own_exceeded = own_max != 0 && own.now > own_max;
  const bool is_all_exceeded = all_max != 0 && all_.now > all_max;
  if (!is_own_exceeded && !is_all_exceeded) {
    own.is_refusal_told = all_.is_refusal_told = false;
    return Answer::kWelcome;
  }
  Count& exceeded = is_own_exceeded ? own : all_;
  return std::exchange(exceeded.is_refusal_told, true) ? Answer::kTooMany : Answer::kTooManyAndNew;
}

void ConnectionCounts::leave(const ListenerPolicy& listener) {
  const ShortLockGuard guard(lock_);
  --by_listener_[listener.name].now;
  --all_.now;
}

}  // namespace nightjar::broker
