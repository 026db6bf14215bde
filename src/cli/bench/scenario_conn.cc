// The scenario of connections: a storm of connects, then watching what idle ones cost.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/bench/scenarios.h"

namespace nightjar::cli::bench {
namespace {

constexpr std::uint64_t kClients = 10'000;
// Memory is read when so long nothing has happened.
constexpr Nanoseconds kSettle = kSecond;

Plan plan_conn(const BenchOptions& options) {
  Plan plan;
  plan.clients.reserve(options.clients);
  for (std::uint64_t i = 0; i < options.clients; ++i) {
    plan.clients.push_back({.id = fmt::format("bench-{}", i),
                            .filters = {i, options.subscribes ? 1U : 0U},
                            .thread = static_cast<std::uint32_t>(i)});
  }
  plan.filter_at = [](std::uint64_t i) { return fmt::format("bench/conn/{:07}", i); };
  return plan;
}

// The second part follows the first.
PhaseResult joined(PhaseResult first, PhaseResult second) {
  first.count += second.count;
  first.seconds += second.seconds;
  first.broker_cpu_s += second.broker_cpu_s;
  first.own_cpu_s += second.own_cpu_s;
  first.own_tls_s += second.own_tls_s;
  first.bytes_in += second.bytes_in;
  first.bytes_out += second.bytes_out;
  first.resident_end = second.resident_end;
  first.private_end = second.private_end;
  first.latency.add(second.latency);
  for (IntervalResult& each : second.intervals) {
    each.end_s += first.seconds - second.seconds;
    first.intervals.push_back(each);
  }
  return first;
}

// With the sessions of TLS that the broker gave them tickets for.
Result<bool> connect_again(BenchResult& result, Load& load, const BenchOptions& options) {
  const Range all{0, UINT64_MAX};
  load.disconnect(all);
  load.hold(kSettle);
  NJ_TRY(PhaseResult phase, load.connect(all, options.connect_rate, options.dialing));
  phase.name = "resume";
  result.phases.push_back(std::move(phase));
  return true;
}

}  // namespace

Result<BenchResult> run_conn(const Setup& given) {
  Setup setup = given;
  BenchOptions& options = setup.options;
  if (options.clients == 0) options.clients = std::min(kClients, connections_max());
  const Plan plan = plan_conn(options);
  BenchResult result = new_result(setup);
  result.settings.emplace_back("clients", fmt::format("{}", options.clients));
  result.settings.emplace_back("subscriptions", options.subscribes ? "one each" : "none");
  NJ_TRY(const auto load, open_load(setup, plan));

  // In two parts, so that memory per connection is a slope and not what the first connection costs.
  const std::uint64_t third = options.clients / 3;
  const auto connect = [&](Range clients) -> Result<PhaseResult> {
    NJ_TRY(PhaseResult phase, load->connect(clients, options.connect_rate, options.dialing));
    if (options.subscribes) NJ_CHECK(load->subscribe(clients));
    return phase;
  };
  NJ_TRY(PhaseResult first, connect({0, third}));
  const PhaseResult rest = load->hold(kSettle);
  NJ_TRY(PhaseResult second, connect({third, options.clients - third}));
  load->hold(kSettle);
  PhaseResult& hold = result.phases.emplace_back(load->hold(from_seconds(options.hold_s)));
  hold.verification.expected = hold.verification.delivered = 0;
  if (result.has_broker_usage && options.clients > third) {
    const auto slope = [&](std::uint64_t from, std::uint64_t to) {
      return (static_cast<double>(to) - static_cast<double>(from)) /
             static_cast<double>(options.clients - third);
    };
    hold.extra.emplace_back("resident_bytes_per_connection", slope(rest.resident_end, hold.resident_begin));
    hold.extra.emplace_back("private_bytes_per_connection", slope(rest.private_end, hold.private_begin));
  }
  hold.extra.emplace_back("bytes_received", static_cast<double>(hold.bytes_in));
  result.phases.insert(result.phases.begin(), joined(std::move(first), std::move(second)));
  add_tls_suite(result, *load);
  if (options.resumes) NJ_CHECK(connect_again(result, *load, options));
  load->disconnect({0, UINT64_MAX});
  return result;
}

}  // namespace nightjar::cli::bench
