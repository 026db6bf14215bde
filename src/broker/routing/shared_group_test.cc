// Shared subscriptions (section 4.8.2): who gets a message, what happens to it when its member goes, and what
// the group's own queue keeps.
#include "broker/routing/shared_group.h"

#include <algorithm>
#include <map>
#include <set>

#include "broker/worker_state.h"
#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using broker::DropReason;
using broker::SharedStrategy;
using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;
using Requests = std::vector<mqtt::SubscriptionRequest>;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kGroup = "$share/team/jobs/#";

WorldOptions with(SharedStrategy strategy, std::uint16_t workers = 3) {
  return {.workers = workers, .node = {.shared_strategy = strategy, .sys_interval = Duration{0}}};
}

Client member(World& world, const std::string& id, Qos qos = Qos::kExactlyOnce,
              const ConnectOptions& options = {}) {
  Client client = joined(world, id, options);
  client.subscribe(kGroup, qos);
  client.run();
  EXPECT_THAT(client.subacks, SizeIs(1));
  return client;
}

void publish_jobs(Client& publisher, int from, int to, Qos qos, const std::string& topic = "jobs/1") {
  publish_numbers(publisher, from, to, qos, topic);
}

std::uint16_t owner_of_group(World& world) {
  return world.node().owner_of(world.node().shard_of_group("team", "jobs/#")).value;
}

TEST(SharedGroup, EachMessageGoesToExactlyOneMember) {
  for (const SharedStrategy strategy :
       {SharedStrategy::kLeastInFlight, SharedStrategy::kRoundRobin, SharedStrategy::kSticky,
        SharedStrategy::kHashByClient, SharedStrategy::kHashByTopic}) {
    for (const Qos qos : {Qos::kAtMostOnce, Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
      World world{with(strategy)};
      Client a = member(world, id_at(world, 0, "a"));
      Client b = member(world, id_at(world, 1, "b"));
      Client c = member(world, id_at(world, 2, "c"));
      Client plain = joined(world, "plain");
      plain.subscribe("jobs/#", qos);
      plain.run();
      Client publisher = joined(world, "publisher");
      for (int i = 0; i < 12; ++i) publish_jobs(publisher, i, i, qos, "jobs/" + std::to_string(i));
      run_all({&publisher, &a, &b, &c, &plain});
      std::multiset<std::string> all;
      for (const Client* client : {&a, &b, &c}) {
        for (const Received& got : client->received) {
          all.insert(got.payload);
          EXPECT_EQ(got.qos, qos);
        }
      }
      const auto expected = numbers(0, 11);
      EXPECT_EQ(all, (std::multiset<std::string>{expected.begin(), expected.end()}));
      EXPECT_THAT(plain.received, SizeIs(12));
      expect_balanced(world);
      EXPECT_EQ(world.counters().ledger.delivered, 24U);
    }
  }
}

TEST(SharedGroup, RoundRobinTakesTurns) {
  World world{with(SharedStrategy::kRoundRobin)};
  Client a = member(world, "a");
  Client b = member(world, "b");
  Client c = member(world, "c");
  Client publisher = joined(world, "publisher");
  publish_jobs(publisher, 1, 9, Qos::kAtLeastOnce);
  run_all({&publisher, &a, &b, &c});
  for (const Client* client : {&a, &b, &c}) EXPECT_THAT(client->received, SizeIs(3));
}

TEST(SharedGroup, LeastInFlightSparesTheSlowMember) {
  World world{with(SharedStrategy::kLeastInFlight)};
  Client slow = member(world, "slow");
  slow.auto_acknowledge = false;
  Client quick = member(world, "quick");
  Client publisher = joined(world, "publisher");
  for (int i = 1; i <= 20; ++i) {
    publish_jobs(publisher, i, i, Qos::kAtLeastOnce);
    run_all({&quick, &slow});
  }
  EXPECT_THAT(slow.received, SizeIs(1));
  EXPECT_THAT(quick.received, SizeIs(19));
}

// A copy for the group is written behind the one for the same client, whose buffer may move meanwhile.
TEST(SharedGroup, AMemberMayAlsoSubscribeByItself) {
  for (const Qos qos : {Qos::kAtMostOnce, Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
    World world{with(SharedStrategy::kLeastInFlight, 1)};
    Client a = member(world, "a");
    a.subscribe("jobs/#", Qos::kExactlyOnce);
    a.subscribe("$share/another/jobs/+", Qos::kExactlyOnce);
    a.run();
    Client publisher = joined(world, "publisher");
    const std::string payload(200, 'p');
    for (int i = 0; i < 20; ++i) publisher.publish("jobs/1", payload, {.qos = qos});
    run_all({&publisher, &a});
    ASSERT_THAT(a.received, SizeIs(60));
    for (const Received& got : a.received) EXPECT_EQ(got.payload, payload);
    expect_balanced(world);
  }
}

// What a group gives its member directly must not overtake what it gave by mail in the same turn.
TEST(SharedGroup, AMemberGetsItsMessagesInOrder) {
  World world{with(SharedStrategy::kLeastInFlight, 1)};
  Client other = joined(world, "other");
  other.subscribe("$share/else/x");
  other.run();
  Client a = member(world, "a", Qos::kAtLeastOnce, {.receive_maximum = 2});
  Client publisher = joined(world, "publisher");
  a.auto_acknowledge = false;
  publish_jobs(publisher, 1, 1, Qos::kAtLeastOnce);
  run_all({&publisher, &a});
  ASSERT_THAT(a.received, SizeIs(1));
  // In one turn: mail of the worker to itself, so that the rest takes that way too; room for a message of
  // those to come; one that is given by mail and one that waits for the room.
  other.drop_link();
  a.acknowledge(PacketType::kPuback, a.received[0].packet_id);
  publish_jobs(publisher, 2, 3, Qos::kAtLeastOnce);
  a.auto_acknowledge = true;
  run_all({&publisher, &a});
  EXPECT_EQ(payloads(a), numbers(1, 3));
  expect_balanced(world);
}

TEST(SharedGroup, StickyStaysUntilItsMemberGoes) {
  World world{with(SharedStrategy::kSticky)};
  Client a = member(world, "a");
  Client b = member(world, "b");
  Client publisher = joined(world, "publisher");
  publish_jobs(publisher, 1, 5, Qos::kAtLeastOnce);
  run_all({&a, &b});
  EXPECT_EQ(a.received.size() * b.received.size(), 0U);
  Client& first = a.received.empty() ? b : a;
  Client& second = a.received.empty() ? a : b;
  first.drop_link();
  publish_jobs(publisher, 6, 8, Qos::kAtLeastOnce);
  run_all({&second});
  EXPECT_EQ(payloads(second), numbers(6, 8));
}

TEST(SharedGroup, HashesKeepATopicOrAPublisherWithOneMember) {
  for (const SharedStrategy strategy : {SharedStrategy::kHashByClient, SharedStrategy::kHashByTopic}) {
    World world{with(strategy)};
    Client a = member(world, "a");
    Client b = member(world, "b");
    std::map<std::string, std::set<std::string>> members_of;
    for (int p = 0; p < 8; ++p) {
      Client publisher = joined(world, "publisher" + std::to_string(p));
      for (int t = 0; t < 8; ++t) {
        const std::string topic = "jobs/" + std::to_string(t);
        const std::string key = strategy == SharedStrategy::kHashByClient ? publisher.id() : topic;
        publisher.publish(topic, key, {.qos = Qos::kAtLeastOnce});
      }
      run_all({&publisher, &a, &b});
    }
    for (const Client* client : {&a, &b}) {
      EXPECT_THAT(client->received, ::testing::Not(IsEmpty()));
      for (const Received& got : client->received) members_of[got.payload].insert(client->id());
    }
    EXPECT_THAT(members_of, SizeIs(8));
    for (const auto& [key, members] : members_of) EXPECT_THAT(members, SizeIs(1)) << key;
  }
}

TEST(SharedGroup, FullWindowsMakeTheGroupWait) {
  for (const SharedStrategy strategy : {SharedStrategy::kLeastInFlight, SharedStrategy::kRoundRobin}) {
    World world{with(strategy)};
    Client a = member(world, "a", Qos::kAtLeastOnce, {.receive_maximum = 2});
    Client b = member(world, "b", Qos::kAtLeastOnce, {.receive_maximum = 1});
    a.auto_acknowledge = b.auto_acknowledge = false;
    Client publisher = joined(world, "publisher");
    publish_jobs(publisher, 1, 10, Qos::kAtLeastOnce);
    run_all({&a, &b});
    EXPECT_THAT(a.received, SizeIs(2));
    EXPECT_THAT(b.received, SizeIs(1));
    EXPECT_EQ(world.counters().ledger.waiting, 7);
    // QoS 0 needs no window.
    publish_jobs(publisher, 0, 0, Qos::kAtMostOnce);
    run_all({&a, &b});
    EXPECT_EQ(a.received.size() + b.received.size(), 4U);
    a.auto_acknowledge = true;
    for (const Received& got : std::vector<Received>{a.received}) {
      if (got.qos == Qos::kAtLeastOnce) a.acknowledge(PacketType::kPuback, got.packet_id);
    }
    run_all({&a, &b});
    EXPECT_EQ(world.counters().ledger.waiting, 0);
    EXPECT_EQ(world.counters().ledger.in_flight, 1);
    expect_balanced(world);
  }
}

// How a member leaves while it has messages.
enum class Leave { kDrop, kDisconnect, kUnsubscribe, kSessionEnds };

TEST(SharedGroup, WhatAMemberLeavesGoesToAnotherInOrder) {
  for (const Leave leave : {Leave::kDrop, Leave::kDisconnect, Leave::kSessionEnds}) {
    for (const Qos qos : {Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
      SCOPED_TRACE(::testing::Message()
                   << "leave " << static_cast<int>(leave) << " QoS " << static_cast<int>(qos));
      World world{
          with(SharedStrategy::kHashByTopic)};  // whatever its window: some waits in the member's queue
      const std::uint32_t expiry = leave == Leave::kSessionEnds ? 0 : 1000;
      Client first =
          member(world, "first", Qos::kExactlyOnce, {.session_expiry_s = expiry, .receive_maximum = 2});
      first.auto_acknowledge = false;
      Client publisher = joined(world, "publisher");
      publish_jobs(publisher, 1, 6, qos);
      first.run();
      EXPECT_EQ(payloads(first), numbers(1, 2));
      Client second = member(world, "second");
      if (leave == Leave::kDisconnect) {
        first.disconnect();
      } else {
        first.drop_link();
      }
      run_all({&publisher, &second});
      publish_jobs(publisher, 7, 8, qos);
      run_all({&second});
      if (qos == Qos::kAtLeastOnce) {
        EXPECT_EQ(payloads(second), numbers(1, 8));
      } else {
        EXPECT_EQ(payloads(second), numbers(3, 8)) << "what is in delivery at QoS 2 stays [MQTT-4.8.2-5]";
      }
      expect_balanced(world);
      first.received.clear();
      first.auto_acknowledge = true;
      first.connect({.clean_start = false, .session_expiry_s = 1000});
      run_all({&first, &second});
      const bool comes_again = qos == Qos::kExactlyOnce && leave != Leave::kSessionEnds;
      EXPECT_EQ(payloads(first), comes_again ? numbers(1, 2) : numbers(1, 0));  // [MQTT-4.8.2-4]
      expect_balanced(world);
      EXPECT_EQ(world.counters().ledger.in_flight + world.counters().ledger.waiting, 0);
    }
  }
}

TEST(SharedGroup, UnsubscribingCompletesWhatWasSent) {
  for (const Qos qos : {Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
    World world{with(SharedStrategy::kHashByTopic)};
    Client first =
        member(world, "first", Qos::kExactlyOnce, {.session_expiry_s = 1000, .receive_maximum = 2});
    first.auto_acknowledge = false;
    Client publisher = joined(world, "publisher");
    publish_jobs(publisher, 1, 5, qos);
    first.run();
    Client second = member(world, "second");
    first.unsubscribe(kGroup);
    run_all({&first, &second});
    EXPECT_THAT(first.unsubacks, SizeIs(1));
    EXPECT_EQ(payloads(second), numbers(3, 5));
    EXPECT_EQ(world.counters().ledger.in_flight, 2);
    // Its window is still taken [MQTT-3.3.4-9], [MQTT-3.10.4-3].
    first.subscribe("other", Qos::kAtLeastOnce);
    first.run();
    publish_jobs(publisher, 9, 9, Qos::kAtLeastOnce, "other");
    first.run();
    EXPECT_EQ(payloads(first), numbers(1, 2));
    if (qos == Qos::kAtLeastOnce) {
      // One it acknowledges, the other goes to the group when the connection ends.
      first.acknowledge(PacketType::kPuback, first.received[0].packet_id);
      first.run();
      EXPECT_EQ(payloads(first).back(), "9");
      first.drop_link();
      second.run();
      EXPECT_EQ(payloads(second).back(), "2");
    } else {
      first.auto_acknowledge = true;
      for (const Received& got : std::vector<Received>{first.received}) {
        first.acknowledge(PacketType::kPubrec, got.packet_id);
      }
      first.run();
      EXPECT_EQ(payloads(first).back(), "9");
    }
    expect_balanced(world);
  }
}

TEST(SharedGroup, TheLastMemberTakesTheQueueAlong) {
  World world{with(SharedStrategy::kLeastInFlight)};
  Client only = member(world, "only", Qos::kAtLeastOnce, {.receive_maximum = 1});
  only.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_jobs(publisher, 1, 4, Qos::kAtLeastOnce);
  only.drop_link();  // and with it the session
  expect_balanced(world);
  EXPECT_EQ(dropped(world, DropReason::kUnsubscribed), 4U);
  EXPECT_EQ(world.node().tree().filter_count(), 0U);
  EXPECT_EQ(world.counters().shared_subscriptions, 0);
}

TEST(SharedGroup, OfflineMembersKeepItsQueue) {
  World world{with(SharedStrategy::kLeastInFlight)};
  Client a = member(world, "a", Qos::kAtLeastOnce, {.session_expiry_s = 1000});
  Client b = member(world, "b", Qos::kAtLeastOnce, {.session_expiry_s = 1000});
  a.drop_link();
  b.drop_link();
  Client publisher = joined(world, "publisher");
  publish_jobs(publisher, 1, 4, Qos::kAtLeastOnce);
  publish_jobs(publisher, 5, 5, Qos::kAtMostOnce);
  EXPECT_EQ(world.counters().ledger.waiting, 4);
  EXPECT_EQ(dropped(world, DropReason::kNoMember), 1U);
  b.connect({.clean_start = false});
  b.run();
  EXPECT_EQ(payloads(b), numbers(1, 4));
  EXPECT_TRUE(b.session_present);
  expect_balanced(world);
}

TEST(SharedGroup, OnlineMembersComeBeforeOfflineOnes) {
  for (const SharedStrategy strategy :
       {SharedStrategy::kLeastInFlight, SharedStrategy::kRoundRobin, SharedStrategy::kSticky,
        SharedStrategy::kHashByClient, SharedStrategy::kHashByTopic}) {
    World world{with(strategy)};
    Client a = member(world, "a", Qos::kAtLeastOnce, {.session_expiry_s = 1000});
    Client b = member(world, "b", Qos::kAtLeastOnce, {.session_expiry_s = 1000});
    a.drop_link();
    Client publisher = joined(world, "publisher");
    publish_jobs(publisher, 1, 6, Qos::kAtLeastOnce);
    b.run();
    EXPECT_EQ(payloads(b), numbers(1, 6));
  }
}

TEST(SharedGroup, ItsQueueHasLimits) {
  WorldOptions options = with(SharedStrategy::kLeastInFlight);
  options.node.shared_queue.messages_max = 3;
  options.node.shared_queue.age_max = Duration::seconds(10);
  World world{options};
  Client a = member(world, "a", Qos::kAtLeastOnce, {.session_expiry_s = 1000});
  a.drop_link();
  Client publisher = joined(world, "publisher");
  publish_jobs(publisher, 1, 2, Qos::kAtLeastOnce);
  world.advance(Duration::seconds(6));
  publish_jobs(publisher, 3, 5, Qos::kAtLeastOnce);
  EXPECT_EQ(world.counters().ledger.waiting, 3);
  EXPECT_EQ(dropped(world, DropReason::kQueueFull), 2U);
  world.advance(Duration::seconds(4));
  a.connect({.clean_start = false});
  a.run();
  EXPECT_EQ(payloads(a), numbers(3, 3)) << "1 and 2 waited too long, 4 and 5 found it full";
  EXPECT_EQ(dropped(world, DropReason::kExpired), 2U);
  expect_balanced(world);
}

TEST(SharedGroup, WhatIsTooOldMakesRoomInItsQueue) {
  WorldOptions options = with(SharedStrategy::kLeastInFlight);
  options.node.shared_queue.messages_max = 3;
  options.node.shared_queue.age_max = Duration::seconds(10);
  World world{options};
  Client a = member(world, "a", Qos::kAtLeastOnce, {.session_expiry_s = 1000});
  a.drop_link();
  Client publisher = joined(world, "publisher");
  publish_jobs(publisher, 1, 3, Qos::kAtLeastOnce);
  world.advance(Duration::seconds(10));
  publish_jobs(publisher, 4, 6, Qos::kAtLeastOnce);
  a.connect({.clean_start = false});
  a.run();
  EXPECT_EQ(payloads(a), numbers(4, 6));
  expect_balanced(world);
}

TEST(SharedGroup, ItsQueueHasALimitInBytes) {
  WorldOptions options = with(SharedStrategy::kLeastInFlight);
  options.node.shared_queue.bytes_max = 1000;
  World world{options};
  Client a = member(world, "a", Qos::kAtLeastOnce, {.session_expiry_s = 1000});
  a.drop_link();
  Client publisher = joined(world, "publisher");
  publisher.publish("jobs/1", std::string(5000, 'x'), {.qos = Qos::kAtLeastOnce});  // alone it may be larger
  publisher.publish("jobs/1", "more", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  EXPECT_EQ(world.counters().ledger.waiting, 1);
  EXPECT_EQ(dropped(world, DropReason::kQueueFull), 1U);
}

TEST(SharedGroup, AQueueThatDropsOldKeepsTheNewest) {
  WorldOptions options = with(SharedStrategy::kLeastInFlight);
  options.node.shared_queue.messages_max = 3;
  options.node.shared_queue.overflow = broker::OverflowPolicy::kDropOld;
  World world{options};
  Client a = member(world, "a", Qos::kAtLeastOnce, {.session_expiry_s = 1000});
  a.drop_link();
  Client publisher = joined(world, "publisher");
  publish_jobs(publisher, 1, 5, Qos::kAtLeastOnce);
  EXPECT_EQ(dropped(world, DropReason::kQueueFull), 2U);
  a.connect({.clean_start = false});
  a.run();
  EXPECT_EQ(payloads(a), numbers(3, 5));
  expect_balanced(world);
}

TEST(SharedGroup, AQueueThatRejectsTellsThePublisher) {
  WorldOptions options = with(SharedStrategy::kLeastInFlight);
  options.node.shared_queue.messages_max = 2;
  options.node.shared_queue.overflow = broker::OverflowPolicy::kReject;
  options.node.refuses_when_full = true;
  World world{options};
  Client a = member(world, "a", Qos::kAtLeastOnce, {.session_expiry_s = 1000});
  a.drop_link();
  for (std::uint16_t at = 0; at < 3; ++at) {
    Client publisher = joined(world, id_at(world, at, "p"));
    publish_jobs(publisher, 1, 3, Qos::kAtLeastOnce);
    EXPECT_EQ(publisher.acks.back().code, ReasonCode::kQuotaExceeded) << "from worker " << at;
  }
  EXPECT_EQ(world.counters().ledger.waiting, 2);
  expect_balanced(world);
}

TEST(SharedGroup, LivesOnAnotherWorkerThanItsMembers) {
  World world{with(SharedStrategy::kRoundRobin)};
  const std::uint16_t home = owner_of_group(world);
  const auto elsewhere = static_cast<std::uint16_t>((home + 1) % 3);
  Client a = member(world, id_at(world, elsewhere, "a"), Qos::kAtMostOnce);
  Client b = member(world, id_at(world, elsewhere, "b"), Qos::kAtLeastOnce);
  Client publisher = joined(world, id_at(world, static_cast<std::uint16_t>((home + 2) % 3), "p"));
  publish_jobs(publisher, 1, 6, Qos::kExactlyOnce);
  run_all({&publisher, &a, &b});
  EXPECT_THAT(a.received, SizeIs(3));
  EXPECT_THAT(b.received, SizeIs(3));
  for (const Received& got : a.received) EXPECT_EQ(got.qos, Qos::kAtMostOnce);
  for (const Received& got : b.received) EXPECT_EQ(got.qos, Qos::kAtLeastOnce);
  expect_balanced(world);
}

TEST(SharedGroup, MovesWithItsShardAndItsQueue) {
  World world{with(SharedStrategy::kLeastInFlight)};
  Client a = member(world, "a", Qos::kExactlyOnce, {.session_expiry_s = 1000, .receive_maximum = 2});
  Client b = member(world, "b", Qos::kExactlyOnce, {.session_expiry_s = 1000, .receive_maximum = 1});
  a.auto_acknowledge = b.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  const broker::ShardId shard = world.node().shard_of_group("team", "jobs/#");
  for (int i = 1; i <= 12; ++i) {
    publisher.publish("jobs/1", std::to_string(i), {.qos = Qos::kAtLeastOnce});
    if (i % 3 == 0) world.move_shard(shard, static_cast<std::uint16_t>((owner_of_group(world) + 1) % 3));
    if (i % 4 == 0) world.turn(static_cast<std::uint16_t>(i % 3));
  }
  publisher.run();
  a.run();
  world.move_shard(world.node().shard_of("a"), static_cast<std::uint16_t>((owner_of_group(world) + 1) % 3));
  b.drop_link();
  a.auto_acknowledge = true;
  for (const Received& got : std::vector<Received>{a.received})
    a.acknowledge(PacketType::kPuback, got.packet_id);
  run_all({&publisher, &a});
  EXPECT_FALSE(world.has_moves());
  const auto got = payloads(a);
  EXPECT_EQ((std::multiset<std::string>{got.begin(), got.end()}).size(), 12U);
  EXPECT_EQ((std::set<std::string>{got.begin(), got.end()}).size(), 12U);
  EXPECT_EQ(world.counters().ledger.waiting, 0);
  expect_balanced(world);
}

TEST(SharedGroup, OptionsOfTheMemberHold) {
  World world{with(SharedStrategy::kRoundRobin)};
  Client a = joined(world, "a");
  a.subscribe(Requests{{.filter = kGroup, .qos = Qos::kAtLeastOnce, .retain_as_published = true}}, 7);
  a.run();
  Client publisher = joined(world, "publisher");
  publisher.publish("jobs/1", "kept", {.qos = Qos::kAtLeastOnce, .retain = true});
  run_all({&publisher, &a});
  ASSERT_THAT(a.received, SizeIs(1));
  EXPECT_TRUE(a.received[0].retain);
  EXPECT_THAT(a.received[0].subscription_ids, ElementsAre(7U));
  // Subscribed again with other options; and no retained messages for shared subscriptions.
  a.subscribe(Requests{{.filter = kGroup, .qos = Qos::kAtMostOnce}}, 8);
  a.run();
  EXPECT_THAT(a.received, SizeIs(1));
  publisher.publish("jobs/1", "more", {.qos = Qos::kAtLeastOnce});
  run_all({&publisher, &a});
  EXPECT_EQ(a.received.back().qos, Qos::kAtMostOnce);
  EXPECT_THAT(a.received.back().subscription_ids, ElementsAre(8U));
}

const broker::SharedGroup& group_of(World& world) {
  const broker::GroupKey key{"team", "jobs/#", world.node().shard_of_group("team", "jobs/#")};
  return *world.worker(owner_of_group(world)).state().groups.find(key);
}

TEST(SharedGroup, WhatIsInFlightStillCountsWhenItsMemberLeavesAndJoinsAgain) {
  World world{with(SharedStrategy::kLeastInFlight)};
  Client other = member(world, "other");  // or the group would end with its only member
  Client a = member(world, "a", Qos::kExactlyOnce, {.receive_maximum = 2});
  other.unsubscribe(kGroup);
  other.run();
  a.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_jobs(publisher, 1, 2, Qos::kAtLeastOnce);
  a.run();
  ASSERT_EQ(group_of(world).members()[0].assigned, 2U);
  a.unsubscribe(kGroup);
  a.subscribe(kGroup, Qos::kExactlyOnce);
  a.run();
  EXPECT_EQ(group_of(world).members()[0].assigned, 2U);
  publish_jobs(publisher, 3, 4, Qos::kAtLeastOnce);
  a.run();
  EXPECT_EQ(group_of(world).waiting(), 2U) << "its window is full: they wait for any member";
  a.acknowledge(PacketType::kPuback, a.received[0].packet_id);
  a.run();
  EXPECT_EQ(payloads(a), numbers(1, 3));
  EXPECT_EQ(group_of(world).members()[0].assigned, 2U);
  a.auto_acknowledge = true;
  for (std::size_t i = 1; i < 3; ++i) a.acknowledge(PacketType::kPuback, a.received[i].packet_id);
  a.run();
  EXPECT_EQ(payloads(a), numbers(1, 4));
  EXPECT_EQ(group_of(world).members()[0].assigned, 0U);
  expect_balanced(world);
}

TEST(SharedGroup, WhatIsOnItsWayToAMemberThatLeavesAndJoinsAgainCountsOnce) {
  World world{with(SharedStrategy::kLeastInFlight)};
  const std::uint16_t owner = owner_of_group(world);
  const auto elsewhere = static_cast<std::uint16_t>((owner + 1) % world.worker_count());
  Client keeper = member(world, id_at(world, owner, "keeper"), Qos::kAtLeastOnce, {.session_expiry_s = 100});
  keeper.drop_link();  // keeps the group alive and gets nothing
  Client a = member(world, id_at(world, elsewhere, "a"), Qos::kAtLeastOnce);
  a.auto_acknowledge = false;
  Client publisher = joined(world, id_at(world, owner, "p"), {.worker = owner});
  publisher.publish("jobs/1", "1", {.qos = Qos::kAtLeastOnce});
  world.turn(owner);  // assigned; the letter is on its way
  ASSERT_THAT(world.mail_between(owner, elsewhere), SizeIs(1));
  a.unsubscribe(kGroup);
  a.subscribe(kGroup, Qos::kAtLeastOnce);
  a.run();
  EXPECT_EQ(payloads(a), numbers(1, 1));
  const auto& members = group_of(world).members();
  const auto of_a =
      std::find_if(members.begin(), members.end(), [&](const auto& m) { return *m.client_id == a.id(); });
  ASSERT_NE(of_a, members.end());
  EXPECT_EQ(of_a->assigned, 1U);
  a.acknowledge(PacketType::kPuback, a.received[0].packet_id);
  a.run();
  EXPECT_EQ(of_a->assigned, 0U);
  expect_balanced(world);
}

TEST(SharedGroup, AMemberThatRefusesDiscardsTheMessage) {
  World world{with(SharedStrategy::kRoundRobin)};
  Client a = member(world, "a", Qos::kAtLeastOnce);
  a.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_jobs(publisher, 1, 1, Qos::kAtLeastOnce);
  a.run();
  a.acknowledge(PacketType::kPuback, a.received[0].packet_id, ReasonCode::kUnspecifiedError);
  Client b = member(world, "b", Qos::kAtLeastOnce);
  a.drop_link();
  run_all({&b});
  EXPECT_THAT(b.received, IsEmpty());  // [MQTT-4.8.2-6]
  EXPECT_EQ(dropped(world, DropReason::kRefused), 1U);
  expect_balanced(world);
}

TEST(SharedGroup, GroupsOfOtherNamesGetTheirOwnCopy) {
  World world{with(SharedStrategy::kRoundRobin)};
  Client a = joined(world, "a");
  a.subscribe("$share/one/jobs/#", Qos::kAtLeastOnce);
  a.subscribe("$share/two/jobs/#", Qos::kAtLeastOnce);
  a.subscribe("jobs/+", Qos::kAtLeastOnce);
  a.run();
  EXPECT_THAT(a.subacks, SizeIs(3));
  EXPECT_EQ(world.counters().shared_subscriptions, 2);
  Client publisher = joined(world, "publisher");
  publish_jobs(publisher, 1, 1, Qos::kAtLeastOnce);
  run_all({&publisher, &a});
  EXPECT_THAT(payloads(a), Each(std::string{"1"}));
  EXPECT_THAT(a.received, SizeIs(3));
  a.unsubscribe("$share/one/jobs/#");
  a.unsubscribe("$share/nobody/jobs/#");
  a.run();
  EXPECT_THAT(a.unsubacks, SizeIs(2));
  publish_jobs(publisher, 2, 2, Qos::kAtLeastOnce);
  run_all({&publisher, &a});
  EXPECT_THAT(a.received, SizeIs(5));
  expect_balanced(world);
}

}  // namespace
}  // namespace nightjar::testing
