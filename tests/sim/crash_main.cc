// nightjar_crash_sim [--seeds N] [--first S] [--steps E]: runs seeds S to S+N-1 of crashes.h and prints what
// broke.
#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

#include "tests/sim/crashes.h"
#include "tests/support/map_store.h"

int main(int argc, char** argv) {
  std::uint64_t seeds = 100;
  std::uint64_t first = 1;
  bool stops = false;  // at the first failure
  nightjar::sim::CrashPlan plan;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::uint64_t value = i + 1 < argc ? std::strtoull(argv[i + 1], nullptr, 10) : 0;
    if (name == "--seeds") {
      seeds = value;
    } else if (name == "--first") {
      first = value;
    } else if (name == "--steps") {
      plan.steps = static_cast<int>(value);
    } else if (name == "--workers") {
      plan.workers_max = static_cast<std::uint16_t>(value);
    } else if (name == "--restless") {
      plan.is_restless = value != 0;
    } else if (name == "--stop") {
      stops = value != 0;
    } else if (name == "--trace") {
      plan.is_traced = value != 0;
    } else {
      fmt::print(
          "usage: nightjar_crash_sim [--seeds N] [--first S] [--steps E] [--workers W] [--restless 1] "
          "[--stop 1] "
          "[--trace 1]\n");
      return 2;
    }
  }
  std::uint64_t failed = 0;
  nightjar::sim::CrashCounts counts;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    plan.seed = seed;
    nightjar::testing::MapStore store;
    const auto broken = nightjar::sim::run_crashes(plan, store, counts);
    if (!broken) continue;
    ++failed;
    fmt::print("seed {}: {}\n", seed, *broken);
    std::fflush(stdout);
    if (stops) return 1;
  }
  fmt::print("  {} crashes, {} messages acknowledged, {} delivered\n", counts.crashes, counts.acknowledged,
             counts.delivered);
  fmt::print("{} passed, {} failed\n", seeds - failed, failed);
  return failed == 0 ? 0 : 1;
}
