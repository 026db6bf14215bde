// Names for the things of the broker core. Pure values.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace nightjar::broker {

// A worker of this node, counted from 0.
using WorkerIndex = Id<struct WorkerTag, std::uint16_t>;
// A client id hashes to one shard for good; a shard is owned by one worker at a time and may move.
using ShardId = Id<struct ShardTag, std::uint16_t>;
// A session object of this process; never reused, so it tells a session from a newer one of the same client
// id.
using SessionSerial = Id<struct SessionTag, std::uint64_t>;
// A topic filter in the subscription tree. Reused after its last subscription is gone (see RouteVersion).
using FilterId = Id<struct FilterTag, std::uint32_t>;
// Counts changes of the subscription tree. A subscription made at version n receives only what was matched
// at n or later.
using RouteVersion = std::uint64_t;

// Bits of a worker set; the node is limited to 64 workers so that a set is one atomic word.
using WorkerSet = std::uint64_t;
inline constexpr std::uint16_t kWorkersMax = 64;
constexpr WorkerSet bit(WorkerIndex worker) { return WorkerSet{1} << worker.value; }

}  // namespace nightjar::broker
