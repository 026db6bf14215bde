// One seed: a world of its own shape, actors that do random things in it, and at the end the reckoning.
#pragma once

#include <cstdint>

#include "broker/counters.h"

namespace nightjar::sim {

struct Outcome {
  broker::Counters counters;
  std::uint64_t full_windows = 0;  // times that a connected client had messages waiting
  std::uint64_t will_timers = 0;   // wills that waited for their delay
};

// Throws Violation (model.h) with the story if a promise was broken.
Outcome run_seed(std::uint64_t seed, std::uint64_t events);

}  // namespace nightjar::sim
