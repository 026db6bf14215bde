// Crashes under a seed: publishers and subscribers whose sessions are kept, a broker that dies at any instant
// and is started again on what its store had made durable, and a ledger of what was acknowledged against what
// arrived.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace nightjar::sim {

struct CrashPlan {
  std::uint64_t seed = 1;
  int steps = 4000;
  std::uint16_t workers_max = 3;
  bool is_traced = false;
};

struct CrashCounts {
  std::uint64_t crashes = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t delivered = 0;
};

// What went wrong, or nothing.
std::optional<std::string> run_crashes(const CrashPlan& plan, CrashCounts& counts);

}  // namespace nightjar::sim
