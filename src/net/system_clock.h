// The clock of the operating system for the core's Clock port. Any thread.
#pragma once

#include <ctime>

#include "base/clock.h"

namespace nightjar::net {

class SystemClock final : public Clock {
 public:
  // Also counts the time a laptop sleeps, so that keep-alive and expiry mean real time.
  [[nodiscard]] MonoTime now() const override { return {read_ms(CLOCK_BOOTTIME)}; }
  [[nodiscard]] std::int64_t wall_ms() const override { return read_ms(CLOCK_REALTIME); }

 private:
  static std::int64_t read_ms(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
  }
};

}  // namespace nightjar::net
