#include "cli/bench/plans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cli/bench/draws.h"
#include "mqtt/topic.h"

namespace nightjar::cli::bench {
namespace {

BenchOptions options(std::uint32_t publishers, std::uint32_t subscribers) {
  BenchOptions result;
  result.publishers = publishers;
  result.subscribers = subscribers;
  result.qos = 1;
  return result;
}

bool subscribes_to(const Plan& plan, const ClientPlan& client, const std::string& topic) {
  for (std::uint64_t i = 0; i < client.filters.count; ++i) {
    std::string filter = plan.filter_at(client.filters.first + i);
    mqtt::SharedFilter shared;
    if (mqtt::parse_shared(filter, shared)) filter = shared.filter;
    if (mqtt::matches(filter, topic)) return true;
  }
  return false;
}

// What the plan says of its streams is what a broker will make of its filters.
void expect_consistent(const Plan& plan) {
  std::set<std::string> ids;
  for (const ClientPlan& client : plan.clients) EXPECT_TRUE(ids.insert(client.id).second) << client.id;
  for (std::uint32_t s = 0; s < plan.streams.size(); ++s) {
    std::uint32_t receivers = 0;
    for (const ClientPlan& client : plan.clients) {
      if (!subscribes_to(plan, client, plan.streams[s].topic)) continue;
      ++receivers;
      EXPECT_TRUE(s - client.sources.first < client.sources.count)
          << client.id << " does not expect stream " << s;
    }
    if (plan.streams[s].spread == Spread::kEach) {
      EXPECT_EQ(receivers, plan.streams[s].receivers) << plan.streams[s].topic;
    } else {
      EXPECT_GE(receivers, 1U) << plan.streams[s].topic;
    }
    EXPECT_EQ(std::count_if(plan.clients.begin(), plan.clients.end(),
                            [&](const ClientPlan& client) { return client.stream == s; }),
              1);
  }
}

TEST(Plans, AgreeWithWhatTheirFiltersMatch) {
  expect_consistent(plan_p2p(options(7, 7)));
  expect_consistent(plan_fanout(options(3, 11)));
  expect_consistent(plan_fanin(options(10, 1)));
  expect_consistent(plan_fanin(options(10, 3)));
  expect_consistent(plan_shared(options(5, 4)));
  expect_consistent(plan_offline(options(4, 4)));
  expect_consistent(plan_mixed(options(30, 20)));
}

TEST(Plans, MixedHasEveryQos) {
  BenchOptions asked = options(30, 20);
  asked.qos = -1;
  std::set<mqtt::Qos> seen;
  for (const StreamPlan& stream : plan_mixed(asked).streams) seen.insert(stream.qos);
  EXPECT_EQ(seen.size(), 3U);
}

TEST(Plans, DivideAWindowAmongThePublishersOfASubscriber) {
  BenchOptions asked = options(10, 1);
  asked.window = 200;
  EXPECT_EQ(plan_fanin(asked).streams.front().window, 20U);
  EXPECT_EQ(plan_p2p(asked).streams.front().window, 200U);
}

TEST(Plans, KeepALargePayloadsWindowSmall) {
  BenchOptions asked = options(1, 1);
  asked.payload_bytes = std::size_t{16} * 1024 * 1024;
  EXPECT_EQ(plan_p2p(asked).streams.front().window, 2U);
}

TEST(Plans, WildHasOneMatchForEachTopicInEveryTable) {
  for (const std::uint64_t filters : {7ULL, 100ULL, 1500ULL}) {
    constexpr std::uint64_t kTopics = 500;
    const std::uint64_t groups = std::min(filters, kTopics);
    const std::size_t length = wild_topic(0, 1).size();
    for (std::uint64_t t = 0; t < kTopics; ++t) {
      const std::string topic = wild_topic(t, groups);
      ASSERT_EQ(topic.size(), length);
      for (std::uint64_t f = 0; f < filters; ++f) {
        ASSERT_EQ(mqtt::matches(wild_filter(f), topic), f == t % groups) << wild_filter(f) << " " << topic;
      }
    }
  }
}

TEST(Plans, WildGivesEachFilterToOneSubscriber) {
  BenchOptions asked = options(2, 3);
  asked.filters = 1000;
  asked.topics = 50;
  const Plan plan = plan_wild(asked);
  std::uint64_t next = 0;
  for (const ClientPlan& client : plan.clients) {
    if (client.filters.count == 0) continue;
    EXPECT_EQ(client.filters.first, next);
    next += client.filters.count;
  }
  EXPECT_EQ(next, 1000U);
  std::string topic;
  plan.topic_at(1, 12345, topic);
  EXPECT_EQ(topic.size(), plan.streams.front().topic.size());
}

TEST(Draws, AreTheSameInEveryRun) { EXPECT_EQ(make_draws(1000, 1), make_draws(1000, 1)); }

TEST(Draws, FollowZipf) {
  std::map<std::uint32_t, std::size_t> counts;
  for (const std::uint32_t each : make_draws(1000, 1)) ++counts[each];
  std::vector<std::size_t> sorted;
  for (const auto& [thing, count] : counts) sorted.push_back(count);
  std::sort(sorted.rbegin(), sorted.rend());
  // The most popular of 1000 has a share of 1 / H(1000), and twice that of the second.
  EXPECT_NEAR(static_cast<double>(sorted[0]) / static_cast<double>(kDraws), 1 / 7.485, 0.003);
  EXPECT_NEAR(static_cast<double>(sorted[0]) / static_cast<double>(sorted[1]), 2, 0.05);
}

TEST(Draws, WithoutAnExponentAreEven) {
  std::map<std::uint32_t, std::size_t> counts;
  for (const std::uint32_t each : make_draws(100, 0)) ++counts[each];
  ASSERT_EQ(counts.size(), 100U);
  for (const auto& [thing, count] : counts) {
    EXPECT_NEAR(static_cast<double>(count), static_cast<double>(kDraws) / 100, 600) << thing;
  }
}

}  // namespace
}  // namespace nightjar::cli::bench
