// When each message of an open loop is due, whatever the broker does: latency counts from that time, so a
// broker that stalls is charged for every message it kept waiting. Pure.
#pragma once

#include <cmath>
#include <cstdint>

#include "cli/bench/nanoseconds.h"

namespace nightjar::cli::bench {

class Schedule {
 public:
  // `rate` messages a second from `begin` on; in the first `ramp` the rate grows evenly from 0 to that.
  Schedule(Nanoseconds begin, double rate, Nanoseconds ramp)
      : begin_(begin), rate_(rate), ramp_s_(to_seconds(ramp)), ramp_messages_(rate * ramp_s_ / 2) {}

  [[nodiscard]] Nanoseconds due(std::uint64_t index) const {
    const auto number = static_cast<double>(index);
    const double after_s =
        number < ramp_messages_ ? std::sqrt(2 * ramp_s_ * number / rate_) : ramp_s_ / 2 + number / rate_;
    return begin_ + from_seconds(after_s);
  }

 private:
  Nanoseconds begin_;
  double rate_;
  double ramp_s_;
  double ramp_messages_;  // that are due in the ramp
};

}  // namespace nightjar::cli::bench
