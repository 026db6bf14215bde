// The data structures of a delivery: packet ids in flight, the queue and its limits, topic aliases.
#include "broker/session/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>
#include <string>

#include "broker/connection.h"

namespace nightjar::broker {
namespace {

using ::testing::ElementsAre;

Delivery delivery_of(std::string_view topic, std::string_view payload = "") {
  return {.message =
              Message::make({.topic = topic, .payload = as_bytes(payload), .qos = mqtt::Qos::kAtLeastOnce}),
          .qos = mqtt::Qos::kAtLeastOnce};
}

InFlight::Entry& add(InFlight& in_flight, std::string_view topic) {
  InFlight::Entry& entry = in_flight.add();
  entry.delivery = delivery_of(topic);
  return entry;
}

TEST(InFlight, GivesEveryFreeIdBeforeOneComesAgain) {
  InFlight in_flight;
  std::set<std::uint16_t> ids;
  for (int i = 0; i < 0xFFFF; ++i) {
    InFlight::Entry& entry = add(in_flight, "a");
    ids.insert(entry.packet_id.value);
    in_flight.erase(entry);
  }
  EXPECT_EQ(ids.size(), 0xFFFFU);
  EXPECT_FALSE(ids.contains(0));  // [MQTT-2.2.1-3]
  EXPECT_EQ(add(in_flight, "a").packet_id.value, 1);
}

TEST(InFlight, HoldsAllIdsAtOnceAndFindsEach) {
  InFlight in_flight;
  std::set<std::uint16_t> ids;
  for (int i = 0; i < 0xFFFF; ++i) ids.insert(add(in_flight, "a").packet_id.value);
  EXPECT_EQ(ids.size(), 0xFFFFU);
  EXPECT_EQ(in_flight.size(), 0xFFFFU);
  for (std::uint32_t id = 1; id <= 0xFFFF; ++id) {
    InFlight::Entry* entry = in_flight.find({static_cast<std::uint16_t>(id)});
    ASSERT_NE(entry, nullptr);
    ASSERT_EQ(entry->packet_id.value, id);
  }
  EXPECT_EQ(in_flight.find({0}), nullptr);
  in_flight.erase(*in_flight.find({77}));
  EXPECT_EQ(in_flight.find({77}), nullptr);
  EXPECT_EQ(add(in_flight, "b").packet_id.value, 77) << "the only free one";
}

TEST(InFlight, NothingOfADeliveryIsLeftForTheNext) {
  InFlight in_flight;
  InFlight::Entry& first = add(in_flight, "a");
  first.delivery.retain = first.delivery.is_kept = true;
  first.delivery.part = first.delivery.slot = 3;
  first.delivery.place = first.delivery.sequence = first.delivery.group_sequence = 5;
  first.delivery.enqueued = MonoTime{9};
  first.delivery.subscription_ids.push_back(7);
  first.delivery.group = std::make_shared<const GroupKey>("g", "a", ShardId{});
  in_flight.erase(first);
  InFlight::Entry* next = &in_flight.add();
  for (; next != &first; next = &in_flight.add()) in_flight.erase(*next);
  const Delivery& fresh = next->delivery;
  EXPECT_FALSE(fresh.message || fresh.group || fresh.retain || fresh.is_kept);
  EXPECT_TRUE(fresh.subscription_ids.empty());
  EXPECT_EQ(fresh.qos, mqtt::Qos::kAtMostOnce);
  EXPECT_EQ(fresh.enqueued, MonoTime{});
  EXPECT_EQ(fresh.part + fresh.slot + fresh.place + fresh.sequence + fresh.group_sequence, 0U);
}

TEST(InFlight, KeepsTheOrderOfSendingWhateverTheIds) {
  InFlight in_flight;
  std::vector<std::uint16_t> left;
  for (int i = 0; i < 20; ++i) left.push_back(add(in_flight, "a").packet_id.value);
  std::uint16_t last = 0;
  while (last < 0xFFF0) {
    InFlight::Entry& entry = add(in_flight, "x");
    last = entry.packet_id.value;
    in_flight.erase(entry);
  }
  for (int i = 0; i < 20; ++i) left.push_back(add(in_flight, "a").packet_id.value);
  std::vector<std::uint16_t> order;
  for (const InFlight::Entry* entry : in_flight.in_order()) order.push_back(entry->packet_id.value);
  EXPECT_EQ(order, left);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end())) << "the ids have wrapped";
}

TEST(InFlight, NobodyIsFoundInAnEmptyOne) {
  InFlight in_flight;
  EXPECT_EQ(in_flight.find({1}), nullptr);
  EXPECT_TRUE(in_flight.empty());
  EXPECT_TRUE(in_flight.in_order().empty());
}

TEST(Outbox, CountsBytesAndKnowsItsLimits) {
  Outbox outbox;
  const QueueLimits limits{.messages_max = 3, .bytes_max = 10};
  EXPECT_FALSE(outbox.is_full(limits, 100)) << "one always fits";
  outbox.push(delivery_of("a", "1234"));
  EXPECT_EQ(outbox.bytes(), 5U);
  EXPECT_FALSE(outbox.is_full(limits, 5));
  EXPECT_TRUE(outbox.is_full(limits, 6));
  outbox.push(delivery_of("a"));
  outbox.push(delivery_of("b"));
  EXPECT_TRUE(outbox.is_full(limits, 0));
  EXPECT_EQ(outbox.pop().message->payload().size(), 4U);
  EXPECT_EQ(outbox.bytes(), 2U);
  EXPECT_EQ(outbox.size(), 2U);
}

TEST(Outbox, CountsPayloadsAsMosquittoDoes) {
  Outbox outbox;
  const QueueLimits limits{.messages_max = 100, .bytes_max = 10, .counts_payload_only = true};
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(outbox.is_full(limits, 1000)) << "below the limit with " << i << " messages";
    outbox.push(delivery_of("a/long/topic", "1234"));
  }
  EXPECT_TRUE(outbox.is_full(limits, 0));
  static_cast<void>(outbox.pop());
  EXPECT_FALSE(outbox.is_full(limits, 4));
  static_cast<void>(outbox.conflate(delivery_of("a/long/topic", "1234567890")));
  EXPECT_TRUE(outbox.is_full(limits, 0));
}

TEST(Outbox, ConflatesInPlace) {
  Outbox outbox;
  outbox.push(delivery_of("a", "old"));
  outbox.push(delivery_of("b", "other"));
  const Delivery old = outbox.conflate(delivery_of("a", "newer"));
  ASSERT_TRUE(old.message);
  EXPECT_EQ(as_text(old.message->payload()), "old");
  EXPECT_EQ(outbox.bytes(), 12U);
  EXPECT_EQ(as_text(outbox.front().message->payload()), "newer");
  EXPECT_FALSE(outbox.conflate(delivery_of("c", "x")).message);
  EXPECT_EQ(outbox.size(), 2U);
}

TEST(Outbox, ConflatesWithTheNewestOfATopic) {
  Outbox outbox;
  for (const char* payload : {"1", "2"}) outbox.push(delivery_of("a", payload));
  outbox.push(delivery_of("b", "3"));
  EXPECT_EQ(as_text(outbox.conflate(delivery_of("a", "4")).message->payload()), "2");
  std::vector<std::string> order;
  while (!outbox.empty()) order.emplace_back(as_text(outbox.pop().message->payload()));
  EXPECT_THAT(order, ElementsAre("1", "4", "3")) << "the last value of a topic comes last";
}

// Random pushes, pops, group withdrawals and conflations against a plain list.
TEST(Outbox, ConflatesLikeAListThatIsSearched) {
  std::mt19937 random{1};
  const auto below = [&random](std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); };
  const GroupKeyRef group = std::make_shared<const GroupKey>(GroupKey{"team", "f", {}});
  struct Plain {
    std::string topic, payload;
    bool is_of_group;
  };
  Outbox outbox;
  std::deque<Plain> plain;
  std::size_t conflated = 0;
  for (int step = 0; step < 50'000; ++step) {
    const Plain next{std::string(1, static_cast<char>('a' + below(12))), std::to_string(step),
                     below(20) == 0};
    Delivery delivery = delivery_of(next.topic, next.payload);
    if (next.is_of_group) delivery.group = group;
    const std::uint32_t action = below(1000);
    if (action < 1) {
      outbox.take_group(*group);
      std::erase_if(plain, [](const Plain& p) { return p.is_of_group; });
    } else if (action < 300 && !plain.empty()) {
      ASSERT_EQ(as_text(outbox.pop().message->payload()), plain.front().payload);
      plain.pop_front();
    } else if (action < 600) {
      const Delivery older = outbox.conflate(delivery);
      const auto same =
          std::find_if(plain.rbegin(), plain.rend(), [&](const Plain& p) { return p.topic == next.topic; });
      ASSERT_EQ(static_cast<bool>(older.message), same != plain.rend());
      if (same == plain.rend()) continue;
      ASSERT_EQ(as_text(older.message->payload()), same->payload);
      *same = next;
      ++conflated;
    } else {
      outbox.push(std::move(delivery));
      plain.push_back(next);
    }
    ASSERT_EQ(outbox.size(), plain.size());
  }
  EXPECT_GT(conflated, 1000U);
}

TEST(Outbox, GivesBackWhatAGroupAssigned) {
  const auto group = [](std::string_view name) {
    return std::make_shared<const GroupKey>(name, "f", ShardId{});
  };
  Outbox outbox;
  for (const char* name : {"one", "two", "one"}) {
    Delivery delivery = delivery_of("f", name);
    delivery.group = group(name);
    outbox.push(std::move(delivery));
  }
  outbox.push(delivery_of("f", "own"));
  EXPECT_EQ(outbox.take_group(*group("one")).size(), 2U);
  EXPECT_TRUE(outbox.take_group(*group("one")).empty());
  EXPECT_EQ(outbox.size(), 2U);
  EXPECT_EQ(outbox.bytes(), 8U);
  EXPECT_EQ(as_text(outbox.pop().message->payload()), "two");
}

TEST(OutgoingAliases, ReplaceTheLeastRecentlyUsed) {
  OutgoingAliases aliases{2};
  std::vector<int> given;
  std::vector<bool> known;
  for (const char* topic : {"a", "b", "a", "c", "b", "a"}) {
    const auto choice = aliases.choose(topic);
    given.push_back(choice.alias);
    known.push_back(choice.is_known);
  }
  EXPECT_THAT(given, ElementsAre(1, 2, 1, 2, 1, 2));
  EXPECT_THAT(known, ElementsAre(false, false, true, false, false, false));
  EXPECT_EQ(OutgoingAliases{0}.choose("a").alias, 0);
}

}  // namespace
}  // namespace nightjar::broker
