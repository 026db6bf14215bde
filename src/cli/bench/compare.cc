#include "cli/bench/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <string>
#include <vector>

#include "cli/bench/broker_process.h"
#include "cli/bench/comparison.h"
#include "cli/bench/report.h"
#include "cli/bench/scenarios.h"

namespace nightjar::cli::bench {
namespace {

// For options that are only read.
constexpr std::uint16_t kAnyPort = 1;

// A comparison that is interrupted ends after the measurement under way, and shows what it has; a second
// signal ends it at once.
volatile std::sig_atomic_t is_interrupted = 0;

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { is_interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

struct Named {
  std::string name;
  std::string command;
  std::string options;  // of every scenario with it
};

Result<std::vector<Named>> parse_brokers(const std::vector<std::string>& texts) {
  std::vector<Named> brokers;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos || text.find("{port}") == std::string::npos) {
      return fail(fmt::format("\"{}\": expected NAME=COMMAND with {{port}} in the command", text));
    }
    brokers.push_back({text.substr(0, equals), text.substr(equals + 1), ""});
  }
  return brokers;
}

Result<bool> add_options(std::vector<Named>& brokers, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    const std::size_t equals = std::min(text.find('='), text.size());
    const auto broker = std::find_if(brokers.begin(), brokers.end(),
                                     [&](const Named& each) { return each.name == text.substr(0, equals); });
    if (broker == brokers.end() || equals == text.size()) {
      return fail(fmt::format("--with \"{}\": expected NAME=OPTIONS with the name of a broker", text));
    }
    broker->options += " " + text.substr(equals + 1);
  }
  return true;
}

// One start of one broker for one scenario, so that none inherits the state of another.
Result<BenchResult> measure(const Named& broker, const std::string& line) {
  NJ_TRY(const BrokerProcess process, BrokerProcess::start(broker.name, broker.command));
  NJ_TRY(const ProcessMeter meter, ProcessMeter::open({process.pid()}));
  NJ_TRY(BenchOptions options,
         parse_scenario(line + fill_in(broker.options, process.port(), process.directory())));
  options.port = process.port();
  return run_scenario(options, meter, {});
}

Result<Comparison> compare_all(const CompareOptions& options) {
  NJ_TRY(std::vector<Named> brokers, parse_brokers(options.brokers));
  NJ_CHECK(add_options(brokers, options.with));
  std::vector<std::string> lines = options.scenarios;
  if (lines.empty()) lines.emplace_back("p2p");
  // What cannot be read shall not end a comparison that is half done.
  for (const std::string& line : lines) {
    for (const Named& each : brokers) NJ_CHECK(parse_scenario(line + fill_in(each.options, kAnyPort, "/")));
  }
  std::vector<std::string> names;
  for (const Named& each : brokers) names.push_back(each.name);
  Comparison comparison(names);
  for (unsigned round = 0; round < options.rounds; ++round) {
    for (const std::string& line : lines) {
      // Each round begins with another broker: what the machine does meanwhile hits all alike.
      for (std::size_t i = 0; i < brokers.size(); ++i) {
        const std::size_t broker = (i + round) % brokers.size();
        if (is_interrupted != 0) return comparison;
        auto result = measure(brokers[broker], line);
        if (!result) return fail(fmt::format("{}, {}: {}", names[broker], line, result.error().message));
        const PhaseResult& last = result->phases.back();
        fmt::print(stderr, "round {} of {}  {:<14} {:<24} {:.3f} µs per {}, {} a second\n", round + 1,
                   options.rounds, names[broker], line, last.broker_us(), last.unit, count_text(last.rate()));
        comparison.add(broker, line, *result);
      }
    }
  }
  return comparison;
}

}  // namespace

int run_compare(const CompareOptions& options) {
  catch_interrupts();
  const auto comparison = compare_all(options);
  if (!comparison) {
    fmt::print(stderr, "nightjar bench compare: {}\n", comparison.error().message);
    return 2;
  }
  if (options.json_file != "-") fmt::print("\n{}", comparison->table());
  if (!options.json_file.empty() &&
      !write_report(options.json_file, boost::json::serialize(comparison->json()))) {
    return 2;
  }
  if (!options.html_file.empty() && !write_report(options.html_file, comparison->html())) return 2;
  return comparison->is_clean() ? 0 : 3;
}

}  // namespace nightjar::cli::bench
