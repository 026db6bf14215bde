// Crashes under a seed: publishers and subscribers whose sessions are kept, a broker that dies at any instant
// and is started again on what its store had made durable, and a ledger of what was acknowledged against what
// arrived.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/support/world_store.h"

namespace nightjar::sim {

struct CrashPlan {
  std::uint64_t seed = 1;
  int steps = 4000;
  std::uint64_t crashes_per_1000_steps = 8;
  std::uint16_t workers_max = 3;
  std::size_t padding_bytes_max = 0;  // of a payload, behind its numbers
  bool is_restless = false;           // shards move often
  bool is_traced = false;
};

struct CrashCounts {
  std::uint64_t crashes = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t delivered = 0;
  // What must not happen. A message counts for each subscriber or group:
  std::uint64_t lost = 0;          // acknowledged, and never arrived
  std::uint64_t doubled = 0;       // of QoS 2
  std::uint64_t out_of_order = 0;  // behind a later one of the same publisher
  std::uint64_t sessions_lost = 0;
};

// Begins on a store that is empty. What went wrong first, or nothing.
std::optional<std::string> run_crashes(const CrashPlan& plan, testing::WorldStore& store,
                                       CrashCounts& counts);

}  // namespace nightjar::sim
