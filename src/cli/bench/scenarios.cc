#include "cli/bench/scenarios.h"

#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string_view>

#include "cli/bench/plans.h"

namespace nightjar::cli::bench {
namespace {

struct Scenario {
  std::string_view name;
  std::string_view summary;
  std::uint32_t publishers;  // defaults
  std::uint32_t subscribers;
  Plan (*plan)(const BenchOptions&);
};

constexpr std::array kScenarios{
    Scenario{"p2p", "each publisher to a subscriber of its own", 50, 50, plan_p2p},
    Scenario{"fanout", "each publisher to all subscribers", 1, 100, plan_fanout},
    Scenario{"fanin", "many publishers to one subscriber", 100, 1, plan_fanin},
    Scenario{"shared", "publishers to the members of a shared group, QoS 1", 50, 4, plan_shared},
};

Result<Address> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int failed = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
      failed != 0) {
    return fail(fmt::format("cannot find the host \"{}\": {}", host, gai_strerror(failed)));
  }
  Address address{.size = list->ai_addrlen};
  std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
  freeaddrinfo(list);
  return address;
}

Result<LoadSettings> load_settings(const BenchOptions& options) {
  LoadSettings settings{.version = options.version,
                        .payload_bytes = options.payload_bytes,
                        .user_name = options.user_name,
                        .password = options.password,
                        .keep_alive_s = options.keep_alive_s,
                        .threads = options.threads};
  NJ_TRY(settings.broker, resolve(options.host, options.port));
  return settings;
}

std::string_view version_text(mqtt::Version version) {
  return version == mqtt::Version::k5 ? "5.0" : version == mqtt::Version::k311 ? "3.1.1" : "3.1";
}

void describe(const BenchOptions& options, const Plan& plan, BenchResult& result) {
  auto& to = result.settings;
  to.emplace_back("broker", fmt::format("{}:{}", options.host, options.port));
  to.emplace_back("version", version_text(options.version));
  to.emplace_back("publishers", fmt::format("{}", options.publishers));
  to.emplace_back("subscribers", fmt::format("{}", options.subscribers));
  to.emplace_back("qos", fmt::format("{}", static_cast<int>(plan.streams.front().qos)));
  to.emplace_back("payload", fmt::format("{} bytes", options.payload_bytes));
  to.emplace_back("load", options.rate > 0 ? fmt::format("{} messages/s", options.rate)
                                           : fmt::format("flood, window {}", plan.streams.front().window));
  to.emplace_back("threads", fmt::format("{}", options.threads));
}

Result<BenchResult> run_messages(const BenchOptions& options, const Plan& plan, const ProcessMeter& meter,
                                 const Progress& progress) {
  BenchResult result{.scenario = options.scenario, .has_broker_usage = !meter.is_empty()};
  describe(options, plan, result);
  NJ_TRY(const LoadSettings settings, load_settings(options));
  Load load(plan, settings, meter, progress);
  NJ_CHECK(load.connect({0, UINT64_MAX}, options.connect_rate, options.dialing));
  NJ_CHECK(load.subscribe({0, UINT64_MAX}));
  result.phases.push_back(load.messages({.rate = options.rate,
                                         .ramp = from_seconds(options.ramp_s),
                                         .warmup = from_seconds(options.warmup_s),
                                         .duration = from_seconds(options.duration_s)}));
  if (std::string problem = load.traffic().problem(); !problem.empty())
    result.notes.push_back(std::move(problem));
  return result;
}

}  // namespace

std::vector<std::string> scenario_names() {
  std::vector<std::string> names;
  for (const Scenario& each : kScenarios) names.emplace_back(each.name);
  return names;
}

std::string scenario_list() {
  std::string text = "What to run:";
  for (const Scenario& each : kScenarios) text += fmt::format("\n  {:<9}{}", each.name, each.summary);
  return text;
}

Result<BenchResult> run_scenario(const BenchOptions& given, const ProcessMeter& meter,
                                 const Progress& progress) {
  const auto* scenario = std::find_if(kScenarios.begin(), kScenarios.end(),
                                      [&](const Scenario& each) { return each.name == given.scenario; });
  if (scenario == kScenarios.end()) return fail(fmt::format("unknown scenario \"{}\"", given.scenario));
  BenchOptions options = given;
  if (options.publishers == 0) options.publishers = scenario->publishers;
  if (options.subscribers == 0) options.subscribers = scenario->subscribers;
  return run_messages(options, scenario->plan(options), meter, progress);
}

}  // namespace nightjar::cli::bench
