// `nightjar bench compare`: the same scenarios on several brokers, in interleaved rounds, as medians and
// ratios. Main thread.
#pragma once

#include "cli/bench/options.h"

namespace nightjar::cli::bench {

// Returns the exit status, like run_bench.
int run_compare(const CompareOptions& options);

}  // namespace nightjar::cli::bench
