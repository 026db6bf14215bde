// The scenarios whose subscribers listen while publishers publish.
#include <fmt/format.h>

#include <utility>

#include "cli/bench/beside.h"
#include "cli/bench/plans.h"
#include "cli/bench/scenarios.h"

namespace nightjar::cli::bench {
namespace {

std::string load_text(const BenchOptions& options, const StreamPlan& stream) {
  if (options.rate <= 0)
    return fmt::format("a flood, {} messages under way for each publisher", stream.window);
  std::string text = fmt::format("{} messages/s", options.rate);
  if (options.ramp_s > 0) text += fmt::format(" after a ramp of {} s", options.ramp_s);
  return text;
}

Result<BenchResult> run_messages(const Setup& setup, Plan plan) {
  const BenchOptions& options = setup.options;
  for (ClientPlan& client : plan.clients) client.keeps_session |= options.keeps_sessions;
  BenchResult result = new_result(setup);
  result.settings.emplace_back("publishers", fmt::format("{}", plan.streams.size()));
  result.settings.emplace_back("subscribers", fmt::format("{}", plan.clients.size() - plan.streams.size()));
  result.settings.emplace_back("qos", options.qos < 0 ? "0, 1 and 2" : fmt::format("{}", options.qos));
  result.settings.emplace_back("load", load_text(options, plan.streams.front()));
  if (options.keeps_sessions) result.settings.emplace_back("sessions", "kept");
  if (!options.beside.empty()) {
    result.settings.emplace_back("beside", fmt::format("{} at {}/s", options.beside, options.beside_rate));
  }
  NJ_TRY(const auto load, open_load(setup, plan));
  NJ_CHECK(load->connect({0, UINT64_MAX}, options.connect_rate, options.dialing));
  add_tls_suite(result, *load);
  NJ_TRY(PhaseResult subscribed, load->subscribe({0, UINT64_MAX}));
  if (options.scenario == "wild") result.phases.push_back(std::move(subscribed));
  NJ_TRY(auto beside, Beside::start(options));
  result.phases.push_back(load->messages({.rate = options.rate,
                                          .ramp = from_seconds(options.ramp_s),
                                          .warmup = from_seconds(options.warmup_s),
                                          .duration = from_seconds(options.duration_s)}));
  if (beside) result.phases.back().extra = beside->stop();
  if (std::string problem = load->traffic().problem(); !problem.empty())
    result.notes.push_back(std::move(problem));
  return result;
}

}  // namespace

Result<BenchResult> run_p2p(const Setup& setup) { return run_messages(setup, plan_p2p(setup.options)); }
Result<BenchResult> run_fanout(const Setup& setup) { return run_messages(setup, plan_fanout(setup.options)); }
Result<BenchResult> run_fanin(const Setup& setup) { return run_messages(setup, plan_fanin(setup.options)); }
Result<BenchResult> run_shared(const Setup& setup) { return run_messages(setup, plan_shared(setup.options)); }
Result<BenchResult> run_mixed(const Setup& setup) { return run_messages(setup, plan_mixed(setup.options)); }

Result<BenchResult> run_wild(const Setup& given) {
  Setup setup = given;
  if (setup.options.filters == 0) setup.options.filters = 100'000;
  if (setup.options.topics == 0) setup.options.topics = 100'000;
  NJ_TRY(BenchResult result, run_messages(setup, plan_wild(setup.options)));
  result.settings.emplace_back("filters", fmt::format("{}", setup.options.filters));
  result.settings.emplace_back(
      "topics",
      fmt::format("{}, {}", setup.options.topics,
                  setup.options.zipf > 0 ? fmt::format("by Zipf's law, exponent {}", setup.options.zipf)
                                         : std::string("all alike")));
  PhaseResult& table = result.phases.front();
  const auto grown = static_cast<double>(table.resident_end) - static_cast<double>(table.resident_begin);
  if (result.has_broker_usage) {
    table.extra.emplace_back("bytes_per_filter", grown / static_cast<double>(setup.options.filters));
  }
  return result;
}

}  // namespace nightjar::cli::bench
