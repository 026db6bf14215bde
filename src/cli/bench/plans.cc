#include "cli/bench/plans.h"

#include <fmt/format.h>

#include <algorithm>

namespace nightjar::cli::bench {
namespace {

// What may be on its way to a subscriber in a flood: enough to fill buffers, and less than brokers keep for a
// subscriber before they drop.
constexpr std::uint32_t kWindowMessages = 1000;
// With a group: a broker may have one member queue it all.
constexpr std::uint32_t kWindowGroup = 800;
// With many publishers to one subscriber, which empties its socket while they fill theirs.
constexpr std::uint32_t kWindowPerPublisher = 100;
constexpr std::size_t kWindowBytes = 1024 * 1024;

// Of each of the publishers that share a subscriber; `otherwise` for all of them together, if nothing is
// asked.
std::uint32_t window(const BenchOptions& options, std::uint64_t publishers, std::uint64_t otherwise) {
  const std::uint64_t by_bytes = std::max<std::uint64_t>(2, kWindowBytes / (options.payload_bytes + 32));
  const std::uint64_t all = options.window != 0 ? options.window : std::min(otherwise, by_bytes);
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, all / publishers));
}

// What brokers take from a 3.1.1 client, which cannot be told a limit: at QoS 2 some drop silently what
// exceeds the 20 that are usual.
constexpr std::uint32_t kInflightQos1 = 500;
constexpr std::uint32_t kInflightQos2 = 20;

std::uint32_t inflight(const BenchOptions& options) {
  if (options.inflight != 0) return options.inflight;
  return options.qos == 2 ? kInflightQos2 : kInflightQos1;
}

mqtt::Qos qos(const BenchOptions& options, int otherwise) {
  return static_cast<mqtt::Qos>(options.qos >= 0 ? options.qos : otherwise);
}

void add_publishers(Plan& plan, std::uint32_t count, const StreamPlan& stream,
                    const std::string& topic_format) {
  for (std::uint32_t i = 0; i < count; ++i) {
    plan.streams.push_back(stream);
    plan.streams.back().topic = fmt::format(fmt::runtime(topic_format), i);
    plan.clients.push_back({.id = fmt::format("bench-pub-{}", i), .stream = i, .thread = i});
  }
}

}  // namespace

Plan plan_p2p(const BenchOptions& options) {
  const std::uint32_t pairs = std::max(options.publishers, options.subscribers);
  Plan plan;
  for (std::uint32_t i = 0; i < pairs; ++i) {
    plan.clients.push_back({.id = fmt::format("bench-sub-{}", i),
                            .filters = {i, 1},
                            .subscribe_qos = qos(options, 0),
                            .sources = {i, 1},
                            .thread = i});
  }
  plan.filter_at = [](std::uint64_t i) { return fmt::format("bench/p2p/{:06}", i); };
  add_publishers(
      plan, pairs,
      {.qos = qos(options, 0), .window = window(options, 1, kWindowMessages), .inflight = inflight(options)},
      "bench/p2p/{:06}");
  return plan;
}

Plan plan_fanout(const BenchOptions& options) {
  Plan plan;
  for (std::uint32_t i = 0; i < options.subscribers; ++i) {
    plan.clients.push_back({.id = fmt::format("bench-sub-{}", i),
                            .filters = {0, options.publishers},
                            .subscribe_qos = qos(options, 0),
                            .sources = {0, options.publishers},
                            .thread = i});
  }
  plan.filter_at = [](std::uint64_t i) { return fmt::format("bench/fanout/{:06}", i); };
  add_publishers(plan, options.publishers,
                 {.qos = qos(options, 0),
                  .receivers = options.subscribers,
                  .window = window(options, options.publishers, kWindowMessages),
                  .inflight = inflight(options)},
                 "bench/fanout/{:06}");
  return plan;
}

Plan plan_fanin(const BenchOptions& options) {
  Plan plan;
  // Subscriber s has the publishers s, s + S, s + 2 S, ...: those whose topics stand below its own level.
  const std::uint32_t subscribers = options.subscribers;
  for (std::uint32_t i = 0; i < subscribers; ++i) {
    plan.clients.push_back({.id = fmt::format("bench-sub-{}", i),
                            .filters = {i, 1},
                            .subscribe_qos = qos(options, 0),
                            .sources = {0, options.publishers},
                            .thread = i});
  }
  plan.filter_at = [](std::uint64_t i) { return fmt::format("bench/fanin/{:04}/+", i); };
  const std::uint32_t each = std::max(1U, options.publishers / std::max(1U, subscribers));
  add_publishers(plan, options.publishers,
                 {.qos = qos(options, 0),
                  .window = window(options, each, std::max(kWindowMessages, each * kWindowPerPublisher)),
                  .inflight = inflight(options)},
                 "");
  for (std::uint32_t i = 0; i < options.publishers; ++i) {
    plan.streams[i].topic = fmt::format("bench/fanin/{:04}/{:06}", i % subscribers, i);
  }
  return plan;
}

Plan plan_shared(const BenchOptions& options) {
  Plan plan;
  for (std::uint32_t i = 0; i < options.subscribers; ++i) {
    plan.clients.push_back({.id = fmt::format("bench-sub-{}", i),
                            .filters = {0, 1},
                            .subscribe_qos = qos(options, 1),
                            .sources = {0, options.publishers},
                            .thread = i});
  }
  plan.filter_at = [](std::uint64_t) { return std::string("$share/bench/bench/shared/#"); };
  add_publishers(plan, options.publishers,
                 {.qos = qos(options, 1),
                  .spread = Spread::kOne,
                  .window = window(options, options.publishers, kWindowGroup),
                  .inflight = inflight(options)},
                 "bench/shared/{:06}");
  return plan;
}

}  // namespace nightjar::cli::bench
