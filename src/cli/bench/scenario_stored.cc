// The scenarios in which the broker keeps messages for later: retained ones, and those for sessions that are
// away.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "cli/bench/plain_client.h"
#include "cli/bench/plans.h"
#include "cli/bench/scenarios.h"
#include "mqtt/writer.h"

namespace nightjar::cli::bench {
namespace {

constexpr Nanoseconds kPatience = 5 * kSecond;

// Leaves the broker as it was found.
Result<bool> remove_retained(const BenchOptions& options, const Plan& plan,
                             std::uint64_t messages_per_stream) {
  NJ_TRY(PlainClient client, PlainClient::connect(options, "bench-clear"));
  ByteBuffer packets;
  std::string topic;
  for (std::uint32_t stream = 0; stream < plan.streams.size(); ++stream) {
    for (std::uint64_t number = 0; number < messages_per_stream; ++number) {
      plan.topic_at(stream, number, topic);
      mqtt::write_publish(packets, mqtt::Version::k311, {.retain = true, .topic = topic});
    }
    NJ_CHECK(client.send(packets.view()));
    packets.clear();
  }
  return client.wait_until_taken();
}

void describe(BenchResult& result, const BenchOptions& options, std::uint64_t messages) {
  result.settings.emplace_back("publishers", fmt::format("{}", options.publishers));
  result.settings.emplace_back("subscribers", fmt::format("{}", options.subscribers));
  result.settings.emplace_back("qos", fmt::format("{}", options.qos));
  result.settings.emplace_back("messages", fmt::format("{}", messages));
}

// For so many messages at that rate; 0 for a flood, which ends with its last acknowledgement.
Nanoseconds time_for(std::uint64_t messages, double rate) {
  return rate > 0 ? from_seconds(static_cast<double>(messages) / rate) + kMillisecond : 0;
}

void add_problem(BenchResult& result, Load& load) {
  if (std::string problem = load.traffic().problem(); !problem.empty())
    result.notes.push_back(std::move(problem));
}

}  // namespace

Result<BenchResult> run_retained(const Setup& setup) {
  const BenchOptions& options = setup.options;
  const Plan plan = plan_retained(options);
  const std::uint64_t wanted = options.messages != 0 ? options.messages : 100'000;
  const std::uint64_t each = std::max<std::uint64_t>(1, wanted / options.publishers);
  BenchResult result = new_result(setup);
  describe(result, options, each * options.publishers);
  NJ_TRY(const auto load, open_load(setup, plan));
  NJ_CHECK(load->connect({0, UINT64_MAX}));
  result.phases.push_back(load->messages(
      {.name = "store", .messages_per_stream = each, .is_delivered = false, .patience = kPatience}));
  result.phases.push_back(
      load->receive("deliver", each * options.publishers * options.subscribers, kPatience,
                    {.kind = Job::Kind::kSubscribe, .clients = {0, options.subscribers}}));
  add_problem(result, *load);
  load->disconnect({0, UINT64_MAX});
  NJ_CHECK(remove_retained(options, plan, each));
  return result;
}

Result<BenchResult> run_offline(const Setup& given) {
  Setup setup = given;
  BenchOptions& options = setup.options;
  options.publishers = options.subscribers = std::max(options.publishers, options.subscribers);
  if (options.qos == 0) return fail("offline: messages at QoS 0 are not kept; use -q 1 or 2");
  const std::uint64_t pairs = options.subscribers;
  // Below the 1000 messages that brokers keep for a session as shipped.
  const std::uint64_t each =
      options.messages != 0 ? std::max<std::uint64_t>(1, options.messages / pairs) : 900;
  Plan plan = plan_offline(options);
  for (StreamPlan& stream : plan.streams) stream.window = UINT32_MAX;  // nobody takes them at first
  const Range subscribers{0, pairs};
  BenchResult result = new_result(setup);
  describe(result, options, each * pairs);
  NJ_TRY(const auto load, open_load(setup, plan));
  NJ_CHECK(load->clean_sessions(subscribers));
  NJ_CHECK(load->connect({0, UINT64_MAX}));
  NJ_CHECK(load->subscribe(subscribers));
  load->disconnect(subscribers);
  result.phases.push_back(load->messages({.name = "in",
                                          .rate = options.rate,
                                          .duration = time_for(each * pairs, options.rate),
                                          .messages_per_stream = each,
                                          .is_delivered = false,
                                          .patience = kPatience}));
  result.phases.push_back(
      load->receive("out", each * pairs, kPatience, {.kind = Job::Kind::kConnect, .clients = subscribers}));
  add_problem(result, *load);
  load->disconnect({0, UINT64_MAX});
  NJ_CHECK(load->clean_sessions(subscribers));
  return result;
}

}  // namespace nightjar::cli::bench
