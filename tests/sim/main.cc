// nightjar_sim [--seeds N] [--first S] [--events E]: runs seeds S to S+N-1 and prints what broke. A seed that
// fails fails again in the same way: run it alone with --first S --seeds 1.
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

#include "tests/sim/simulation.h"

namespace {

using nightjar::broker::DropReason;

struct Arguments {
  std::uint64_t seeds = 100;
  std::uint64_t first = 1;
  std::uint64_t events = 10'000;
  bool stops_at_first_failure = false;
};

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--stop") {
      arguments.stops_at_first_failure = true;
      continue;
    }
    if (i + 1 == argc) return false;
    const std::uint64_t value = std::strtoull(argv[++i], nullptr, 10);
    if (name == "--seeds") {
      arguments.seeds = value;
    } else if (name == "--first") {
      arguments.first = value;
    } else if (name == "--events") {
      arguments.events = value;
    } else {
      return false;
    }
  }
  return true;
}

// What must have happened at least once in a long run, or the run proves little.
bool report_coverage(const nightjar::sim::Outcome& sum, bool is_long) {
  const auto& counters = sum.counters;
  const auto queue_full = counters.ledger.dropped[static_cast<std::size_t>(DropReason::kQueueFull)];
  const std::pair<const char*, std::uint64_t> happened[] = {
      {"takeovers", counters.takeovers},
      {"migrations", counters.migrations},
      {"shard moves", counters.shard_moves},
      {"sessions expired", counters.sessions_expired},
      {"full windows", sum.full_windows},
      {"full queues", queue_full},
      {"delayed wills", sum.will_timers},
      {"wills published", counters.wills_published},
      {"messages delivered", counters.ledger.delivered}};
  bool is_complete = true;
  for (const auto& [name, count] : happened) {
    fmt::print("  {:<20}{:>12}\n", name, count);
    if (count == 0) is_complete = false;
  }
  if (!is_complete && is_long)
    fmt::print("something above never happened: the simulator no longer covers it\n");
  return is_complete || !is_long;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    fmt::print("usage: nightjar_sim [--seeds N] [--first S] [--events E] [--stop]\n");
    return 2;
  }
  std::uint64_t failed = 0;
  nightjar::sim::Outcome sum;
  for (std::uint64_t seed = arguments.first; seed < arguments.first + arguments.seeds; ++seed) {
    try {
      const auto outcome = nightjar::sim::run_seed(seed, arguments.events);
      nightjar::broker::add(sum.counters, outcome.counters);
      sum.full_windows += outcome.full_windows;
      sum.will_timers += outcome.will_timers;
    } catch (const std::exception& broken) {
      ++failed;
      fmt::print("seed {}: {}\n", seed, broken.what());
      std::fflush(stdout);
      if (arguments.stops_at_first_failure) break;
    }
  }
  const bool is_covered = report_coverage(sum, arguments.seeds >= 100);
  if (!is_covered && failed == 0) ++failed;
  fmt::print("{} passed, {} failed\n", arguments.seeds - failed, failed);
  return failed == 0 ? 0 : 1;
}
