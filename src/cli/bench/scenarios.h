// The scenarios by name: who takes part in each, and what is done and measured in which order.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/bench/load.h"
#include "cli/bench/options.h"
#include "cli/bench/plan.h"
#include "cli/bench/result.h"

namespace nightjar::cli::bench {

std::vector<std::string> scenario_names();
// Names and what they are, for the help.
std::string scenario_list();

// Runs the scenario that the options name, with the process of the broker already found.
Result<BenchResult> run_scenario(const BenchOptions& options, const ProcessMeter& meter,
                                 const Progress& progress);

}  // namespace nightjar::cli::bench
