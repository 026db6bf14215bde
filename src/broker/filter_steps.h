// How many changes of subscriptions a worker makes in one turn: a SUBSCRIBE may hold millions of filters and
// a session that ends as many, and nobody else shall wait for them. Pure values.
#pragma once

#include <cstdint>
#include <string_view>

#include "mqtt/topic.h"

namespace nightjar::broker {

// A step is one level of the subscription tree, about a quarter of a microsecond.
using FilterSteps = std::int64_t;

// Two milliseconds, for new SUBSCRIBE and UNSUBSCRIBE packets, for those that go on, and for ended sessions
// each.
inline constexpr FilterSteps kFilterStepsPerTurn = 8192;
// Looking filters with wildcards up among the retained messages: topics visited, about a quarter of a
// microsecond each, and as much as this for the look itself. Those behind them wait for their replay.
inline constexpr std::int64_t kRetainedVisitsPerTurn = 8192;
inline constexpr std::int64_t kVisitsOfALook = 4;
// What one of several in the same turn gets before the next.
inline constexpr FilterSteps kFilterStepsEach = 1024;

// Entering or removing a filter: the tables of worker and session, and each level.
inline FilterSteps steps_of(std::string_view filter) {
  constexpr FilterSteps kTables = 8;
  return kTables + static_cast<FilterSteps>(mqtt::level_count(filter));
}

}  // namespace nightjar::broker
