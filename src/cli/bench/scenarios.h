// The scenarios by name: who takes part in each, and what is done and measured in which order.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/bench/load.h"
#include "cli/bench/options.h"
#include "cli/bench/result.h"

namespace nightjar::cli::bench {

std::vector<std::string> scenario_names();
// Names and what they are, for the help.
std::string scenario_list();
std::vector<std::string> suite_case_names();
std::string suite_case_list();

// What a scenario stands on.
struct Setup {
  BenchOptions options;  // with the scenario's defaults in place of what was not given
  const ProcessMeter& meter;
  const Progress& progress;
};

// Runs the scenario that the options name, with the process of the broker already found.
Result<BenchResult> run_scenario(const BenchOptions& options, const ProcessMeter& meter,
                                 const Progress& progress);

// ---- for the scenarios ----

// With the settings that all scenarios show.
BenchResult new_result(const Setup& setup);
Result<std::unique_ptr<Load>> open_load(const Setup& setup, const Plan& plan);
// What the connected clients of the load speak, if it is TLS, goes to the settings.
void add_tls_suite(BenchResult& result, Load& load);
// Connections that this process may have open.
std::uint64_t connections_max();

Result<BenchResult> run_p2p(const Setup& setup);
Result<BenchResult> run_fanout(const Setup& setup);
Result<BenchResult> run_fanin(const Setup& setup);
Result<BenchResult> run_shared(const Setup& setup);
Result<BenchResult> run_mixed(const Setup& setup);
Result<BenchResult> run_wild(const Setup& setup);
Result<BenchResult> run_conn(const Setup& setup);
Result<BenchResult> run_retained(const Setup& setup);
Result<BenchResult> run_offline(const Setup& setup);
Result<BenchResult> run_capacity(const Setup& setup);
Result<BenchResult> run_suite(const Setup& setup);

}  // namespace nightjar::cli::bench
