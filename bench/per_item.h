// How every benchmark states its result: items a second, and the processor time of one. One thread.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

namespace nightjar::bench {

// After the loop. `what` is one item: "packet", "message", "timer".
inline void report_items(benchmark::State& state, std::int64_t items_per_iteration, const std::string& what) {
  const std::int64_t items = state.iterations() * items_per_iteration;
  state.SetItemsProcessed(items);
  state.counters["time/" + what] = benchmark::Counter(
      static_cast<double>(items), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

}  // namespace nightjar::bench
