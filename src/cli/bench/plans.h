// Makes the plans of the scenarios that publish to who listens now. Pure.
#pragma once

#include <cstdint>
#include <string>

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
// Many wildcard filters, of which each topic matches one.
Plan plan_wild(const BenchOptions& options);
// What an installation of devices does: telemetry to two collectors, commands to single devices, alarms to a
// group of workers, news for everybody, and settings that must arrive once.
Plan plan_mixed(const BenchOptions& options);
// Messages that are kept under topics of their own, for subscribers of them all, who take them at QoS 0.
Plan plan_retained(const BenchOptions& options);
// Messages for subscribers with sessions, each from a publisher of its own.
Plan plan_offline(const BenchOptions& options);

// The numbered topic and filter of plan_wild: topic t matches filter t % min(filters, topics), and no other.
std::string wild_topic(std::uint64_t topic, std::uint64_t groups);
std::string wild_filter(std::uint64_t filter);

}  // namespace nightjar::cli::bench
