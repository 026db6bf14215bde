// The scenario that searches the highest rate at which a broker keeps a latency.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "cli/bench/plans.h"
#include "cli/bench/scenarios.h"

namespace nightjar::cli::bench {
namespace {

// The search ends when the lowest rate that failed is so close to the highest that passed.
constexpr double kPrecision = 1.05;
constexpr double kRateMax = 50e6;
// A rate that this tool could not publish in full was not tried.
constexpr double kPublishedMin = 0.98;
constexpr double kBusy = 0.95;  // of a thread

struct Shape {
  std::string_view name;
  std::uint32_t publishers;
  std::uint32_t subscribers;
  int qos;
  Plan (*plan)(const BenchOptions&);
};

constexpr std::array kShapes{
    Shape{"p2p", 50, 50, 0, plan_p2p},
    Shape{"fanout", 1, 100, 0, plan_fanout},
    Shape{"fanin", 100, 1, 0, plan_fanin},
    Shape{"shared", 50, 4, 1, plan_shared},
};

class Search {
 public:
  Search(const BenchOptions& options, Load& load) : options_(options), load_(load) {}

  // The best phase, or the worst if none passed.
  PhaseResult run(std::vector<std::string>& notes) {
    double rate = options_.rate > 0 ? options_.rate : 1000;
    double failed = 0;
    double passed = 0;
    PhaseResult best;
    while (failed == 0 ? rate <= kRateMax : failed > passed * kPrecision && failed > 1) {
      PhaseResult phase = probe(rate);
      const bool is_good = keeps_goal(phase, rate);
      notes.push_back(fmt::format("{:.0f} messages/s: p{} {:.3f} ms, {:.0f} published/s, {} lost: {}", rate,
                                  options_.goal_percentile, latency_ms(phase), published_rate(phase),
                                  phase.verification.lost(), is_good ? "kept" : "not kept"));
      if (is_good) {
        passed = rate;
      } else {
        failed = rate;
        if (published_rate(phase) < kPublishedMin * rate &&
            phase.own_cpu_s > kBusy * phase.seconds * options_.threads) {
          notes.emplace_back("this tool had no CPU left: use --threads, or another machine");
        }
      }
      if (is_good || best.count == 0) best = std::move(phase);
      rate = failed == 0 ? rate * 2 : passed == 0 ? failed / 2 : std::sqrt(failed * passed);
    }
    best.extra.emplace_back("capacity_per_s", passed);
    // A rate beyond the capacity may well have lost messages; the phase shown did not, if any passed.
    return best;
  }

 private:
  PhaseResult probe(double rate) {
    return load_.messages({.name = "capacity",
                           .rate = rate,
                           .warmup = from_seconds(options_.warmup_s),
                           .duration = from_seconds(options_.duration_s)});
  }
  [[nodiscard]] double latency_ms(const PhaseResult& phase) const {
    return static_cast<double>(phase.latency.at(options_.goal_percentile / 100)) / 1e6;
  }
  static double published_rate(const PhaseResult& phase) {
    return phase.seconds > 0 ? static_cast<double>(phase.published) / phase.seconds : 0;
  }
  [[nodiscard]] bool keeps_goal(const PhaseResult& phase, double rate) const {
    return latency_ms(phase) <= options_.goal_ms && phase.verification.is_clean() &&
           published_rate(phase) >= kPublishedMin * rate;
  }

  const BenchOptions& options_;
  Load& load_;
};

}  // namespace

Result<BenchResult> run_capacity(const Setup& given) {
  Setup setup = given;
  BenchOptions& options = setup.options;
  const auto* shape = std::find_if(kShapes.begin(), kShapes.end(),
                                   [&](const Shape& each) { return each.name == options.shape; });
  if (options.publishers == 0) options.publishers = shape->publishers;
  if (options.subscribers == 0) options.subscribers = shape->subscribers;
  if (given.options.qos < 0) options.qos = shape->qos;
  const Plan plan = shape->plan(options);
  BenchResult result = new_result(setup);
  result.settings.emplace_back("shape", options.shape);
  result.settings.emplace_back("publishers", fmt::format("{}", options.publishers));
  result.settings.emplace_back("subscribers", fmt::format("{}", options.subscribers));
  result.settings.emplace_back("qos", fmt::format("{}", options.qos));
  result.settings.emplace_back("goal", fmt::format("p{} of {} ms", options.goal_percentile, options.goal_ms));
  NJ_TRY(const auto load, open_load(setup, plan));
  NJ_CHECK(load->connect({0, UINT64_MAX}));
  NJ_CHECK(load->subscribe({0, UINT64_MAX}));
  result.phases.push_back(Search(options, *load).run(result.notes));
  return result;
}

}  // namespace nightjar::cli::bench
