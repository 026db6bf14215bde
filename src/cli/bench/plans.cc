#include "cli/bench/plans.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "cli/bench/draws.h"

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

// ---- wild ----

std::string wild_topic(std::uint64_t topic, std::uint64_t groups) {
  const std::uint64_t group = topic % groups;
  return fmt::format("wild/{:02}/{:07}/{:07}", group % 100, group, topic / groups);
}

std::string wild_filter(std::uint64_t filter) {
  // Of twenty, thirteen end in a +, five in a #, one has a further + inside, and one begins with it.
  switch (filter % 20) {
    case 18:
      return fmt::format("wild/+/{:07}/+", filter);
    case 19:
      return fmt::format("+/{:02}/{:07}/+", filter % 100, filter);
    case 3:
    case 7:
    case 11:
    case 15:
    case 17:
      return fmt::format("wild/{:02}/{:07}/#", filter % 100, filter);
    default:
      return fmt::format("wild/{:02}/{:07}/+", filter % 100, filter);
  }
}

Plan plan_wild(const BenchOptions& options) {
  Plan plan;
  const std::uint64_t subscribers = options.subscribers;
  for (std::uint32_t i = 0; i < subscribers; ++i) {
    const std::uint64_t first = options.filters * i / subscribers;
    plan.clients.push_back({.id = fmt::format("bench-sub-{}", i),
                            .filters = {first, options.filters * (i + 1) / subscribers - first},
                            .subscribe_qos = qos(options, 0),
                            .sources = {0, options.publishers},
                            .thread = i});
  }
  plan.filter_at = wild_filter;
  add_publishers(plan, options.publishers,
                 {.qos = qos(options, 0),
                  .spread = Spread::kOne,
                  .window = window(options, 1, kWindowMessages),
                  .inflight = inflight(options)},
                 wild_topic(0, 1));
  const std::uint64_t groups = std::min(options.filters, options.topics);
  auto topics = std::make_shared<std::vector<std::string>>();
  for (std::uint64_t i = 0; i < options.topics; ++i) topics->push_back(wild_topic(i, groups));
  auto draws = std::make_shared<std::vector<std::uint32_t>>(
      make_draws(static_cast<std::uint32_t>(options.topics), options.zipf));
  plan.topic_at = [topics, draws](std::uint32_t stream, std::uint64_t number, std::string& topic) {
    // Each publisher goes through the draws from a place of its own.
    constexpr std::uint64_t kApart = 19'997;
    topic = (*topics)[(*draws)[(number + stream * kApart) % kDraws]];
  };
  return plan;
}

// ---- mixed ----

namespace {

// Puts `part` behind what `plan` has, so that the numbers of its streams and filters change.
void join(Plan& plan, const Plan& part, std::vector<std::string>& filters) {
  const auto streams = static_cast<std::uint32_t>(plan.streams.size());
  for (const ClientPlan& each : part.clients) {
    ClientPlan& client = plan.clients.emplace_back(each);
    client.id = fmt::format("bench-{}", plan.clients.size());
    if (client.stream != kNoStream) client.stream += streams;
    client.sources.first += streams;
    client.filters.first = filters.size();
    for (std::uint64_t i = 0; i < each.filters.count; ++i)
      filters.push_back(part.filter_at(each.filters.first + i));
  }
  plan.streams.insert(plan.streams.end(), part.streams.begin(), part.streams.end());
}

BenchOptions part_of(const BenchOptions& options, int qos, std::uint32_t publishers,
                     std::uint32_t subscribers) {
  BenchOptions part = options;
  part.qos = options.qos >= 0 ? options.qos : qos;
  part.publishers = std::max(1U, publishers);
  part.subscribers = std::max(1U, subscribers);
  return part;
}

}  // namespace

Plan plan_mixed(const BenchOptions& options) {
  const std::uint32_t devices = options.publishers;
  const std::uint32_t listeners = options.subscribers;
  Plan plan;
  std::vector<std::string> filters;
  join(plan, plan_fanin(part_of(options, 0, devices, 2)), filters);                    // telemetry
  join(plan, plan_p2p(part_of(options, 1, devices / 5, devices / 5)), filters);        // commands
  join(plan, plan_shared(part_of(options, 1, devices / 10, 4)), filters);              // alarms
  join(plan, plan_fanout(part_of(options, 0, 1, listeners)), filters);                 // news
  join(plan, plan_offline(part_of(options, 2, devices / 10, devices / 10)), filters);  // settings
  plan.filter_at = [filters = std::move(filters)](std::uint64_t i) { return filters[i]; };
  for (ClientPlan& each : plan.clients) each.keeps_session = false;
  return plan;
}

// ---- stored ----

Plan plan_retained(const BenchOptions& options) {
  Plan plan;
  for (std::uint32_t i = 0; i < options.subscribers; ++i) {
    plan.clients.push_back({.id = fmt::format("bench-sub-{}", i),
                            .filters = {0, 1},
                            .sources = {0, options.publishers},
                            .thread = i});
  }
  plan.filter_at = [](std::uint64_t) { return std::string("bench/retained/#"); };
  add_publishers(plan, options.publishers,
                 {.qos = qos(options, 1),
                  .receivers = options.subscribers,
                  .retain = true,
                  .is_ordered = false,
                  .window = UINT32_MAX,
                  .inflight = inflight(options)},
                 "bench/retained/{:04}/0000000");
  plan.topic_at = [](std::uint32_t stream, std::uint64_t number, std::string& topic) {
    topic = fmt::format("bench/retained/{:04}/{:07}", stream, number);
  };
  return plan;
}

Plan plan_offline(const BenchOptions& options) {
  Plan plan;
  const std::uint32_t pairs = std::max(options.publishers, options.subscribers);
  for (std::uint32_t i = 0; i < pairs; ++i) {
    plan.clients.push_back({.id = fmt::format("bench-sub-{}", i),
                            .filters = {i, 1},
                            .subscribe_qos = qos(options, 1),
                            .sources = {i, 1},
                            .thread = i,
                            .keeps_session = true});
  }
  plan.filter_at = [](std::uint64_t i) { return fmt::format("bench/offline/{:06}", i); };
  add_publishers(
      plan, pairs,
      {.qos = qos(options, 1), .window = window(options, 1, kWindowMessages), .inflight = inflight(options)},
      "bench/offline/{:06}");
  return plan;
}

}  // namespace nightjar::cli::bench
