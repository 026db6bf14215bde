// Makes the plans of the scenarios that publish to who listens now. Pure.
#pragma once

#include "cli/bench/options.h"
#include "cli/bench/plan.h"

namespace nightjar::cli::bench {

// Publisher i to subscriber i.
Plan plan_p2p(const BenchOptions& options);
// Every publisher to every subscriber.
Plan plan_fanout(const BenchOptions& options);
// Many publishers, each with a topic of its own, to one subscriber of them all (or a few, each with its
// share).
Plan plan_fanin(const BenchOptions& options);
// Many publishers to the members of one group.
Plan plan_shared(const BenchOptions& options);

}  // namespace nightjar::cli::bench
