// The cases of the Open MQTT Benchmark Suite (EMQ), by name: all with payloads of 16 bytes, and QoS 1 where
// messages flow. A case larger than what this process can open is scaled down, and the result says so.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "cli/bench/identity.h"
#include "cli/bench/scenarios.h"

namespace nightjar::cli::bench {
namespace {

struct SuiteCase {
  std::string_view name;
  Result<BenchResult> (*run)(const Setup&);
  std::uint32_t publishers;
  std::uint32_t subscribers;
  std::uint64_t clients;
  double rate;  // messages published, or connects, a second
};

constexpr std::array kCases{
    SuiteCase{"p2p-1K", run_p2p, 1000, 1000, 0, 1000},
    SuiteCase{"fanout-1-1K", run_fanout, 1, 1000, 0, 1},
    SuiteCase{"sharedsub-1K-5", run_shared, 1000, 5, 0, 1000},
    SuiteCase{"conn-tcp-10k", run_conn, 0, 0, 10'000, 100},
    SuiteCase{"p2p-50K", run_p2p, 50'000, 50'000, 0, 50'000},
    SuiteCase{"fanout-5-1000-5-250K", run_fanout, 5, 1000, 0, 250},
    SuiteCase{"sharedsub-50K-500", run_shared, 50'000, 500, 0, 50'000},
    SuiteCase{"conn-tcp-1M", run_conn, 0, 0, 1'000'000, 5000},
};
constexpr std::string_view kAll = "all";

// The largest of 1, 1/2, 1/5, 1/10, 1/20, ... at which the case fits.
double fitting_scale(std::uint64_t connections) {
  constexpr std::array kSteps{1.0, 0.5, 0.2};
  for (double power = 1;; power /= 10) {
    for (const double step : kSteps) {
      if (static_cast<double>(connections) * step * power <= static_cast<double>(connections_max()))
        return step * power;
    }
  }
}

std::uint32_t scaled(std::uint64_t count, double scale) {
  return count == 0
             ? 0
             : static_cast<std::uint32_t>(std::max(1.0, std::round(static_cast<double>(count) * scale)));
}

Result<BenchResult> run_case(const Setup& given, const SuiteCase& suite_case) {
  const std::uint64_t connections = suite_case.publishers + suite_case.subscribers + suite_case.clients;
  const double scale = given.options.scale > 0 ? given.options.scale : fitting_scale(connections);
  Setup setup = given;
  BenchOptions& options = setup.options;
  options.scenario = suite_case.name;
  options.payload_bytes = kIdentityBytes;
  options.qos = 1;
  // A fan-out keeps its few publishers.
  const bool is_fanout = suite_case.run == run_fanout;
  options.publishers = is_fanout ? suite_case.publishers : scaled(suite_case.publishers, scale);
  options.subscribers = scaled(suite_case.subscribers, scale);
  options.clients = scaled(suite_case.clients, scale);
  if (suite_case.clients != 0) {
    options.connect_rate = suite_case.rate;
  } else {
    options.rate = is_fanout ? suite_case.rate : suite_case.rate * scale;
  }
  if (suite_case.run == run_shared) options.version = mqtt::Version::k5;
  auto result = suite_case.run(setup);
  if (!result) return result;
  if (scale < 1) {
    result->notes.push_back(fmt::format("{}: scaled by {}: {} connections in place of {}", suite_case.name,
                                        scale, options.publishers + options.subscribers + options.clients,
                                        connections));
  }
  result->notes.push_back(fmt::format("{}: the suite runs a case for 30 minutes, this was {} s",
                                      suite_case.name,
                                      suite_case.clients != 0 ? options.hold_s : options.duration_s));
  for (PhaseResult& each : result->phases) each.name = fmt::format("{} {}", suite_case.name, each.name);
  return result;
}

}  // namespace

std::vector<std::string> suite_case_names() {
  std::vector<std::string> names{std::string(kAll)};
  for (const SuiteCase& each : kCases) names.emplace_back(each.name);
  return names;
}

std::string suite_case_list() {
  std::string text = "omb: which case, or all of them:";
  for (const SuiteCase& each : kCases) text += fmt::format(" {}", each.name);
  return text + " [all]";
}

Result<BenchResult> run_suite(const Setup& setup) {
  const std::string wanted = setup.options.suite_case.empty() ? std::string(kAll) : setup.options.suite_case;
  BenchResult all = new_result(setup);
  all.settings.emplace_back("case", wanted);
  for (const SuiteCase& each : kCases) {
    if (wanted != kAll && wanted != each.name) continue;
    NJ_TRY(BenchResult result, run_case(setup, each));
    std::move(result.phases.begin(), result.phases.end(), std::back_inserter(all.phases));
    std::move(result.notes.begin(), result.notes.end(), std::back_inserter(all.notes));
  }
  return all;
}

}  // namespace nightjar::cli::bench
