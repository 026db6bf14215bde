// The clock of measurements. Any thread.
#pragma once

#include <cstdint>
#include <ctime>

namespace nightjar::cli::bench {

// A point on the monotonic clock, or a span of it.
using Nanoseconds = std::int64_t;

inline constexpr Nanoseconds kSecond = 1'000'000'000;
inline constexpr Nanoseconds kMillisecond = 1'000'000;

inline Nanoseconds now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * kSecond + time.tv_nsec;
}

// Of the calling thread.
inline Nanoseconds thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::int64_t{time.tv_sec} * kSecond + time.tv_nsec;
}

constexpr Nanoseconds from_seconds(double seconds) {
  return static_cast<Nanoseconds>(seconds * static_cast<double>(kSecond));
}
constexpr double to_seconds(Nanoseconds span) {
  return static_cast<double>(span) / static_cast<double>(kSecond);
}

}  // namespace nightjar::cli::bench
