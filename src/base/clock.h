// Time as the core knows it: milliseconds of a clock that never jumps, and the wall clock for display.
// The core never reads a clock of the system; main injects one, tests inject a fake.
#pragma once

#include <compare>
#include <cstdint>

namespace nightjar {

// A span of time. Unit: milliseconds.
struct Duration {
  std::int64_t ms = 0;
  static constexpr Duration seconds(std::int64_t s) { return {s * 1000}; }
  friend constexpr bool operator==(Duration, Duration) = default;
  friend constexpr auto operator<=>(Duration, Duration) = default;
};

// A point on the monotonic clock, counted from an origin that means nothing outside this process.
struct MonoTime {
  std::int64_t ms = 0;
  friend constexpr bool operator==(MonoTime, MonoTime) = default;
  friend constexpr auto operator<=>(MonoTime, MonoTime) = default;
};
constexpr MonoTime operator+(MonoTime at, Duration d) { return {at.ms + d.ms}; }
constexpr Duration operator-(MonoTime a, MonoTime b) { return {a.ms - b.ms}; }
// A point in the future that never comes.
inline constexpr MonoTime kNever{INT64_MAX};

// Implementations may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual MonoTime now() const = 0;
  // Milliseconds since 1970-01-01 UTC; may jump, so it is for display only.
  [[nodiscard]] virtual std::int64_t wall_ms() const = 0;
};

}  // namespace nightjar
