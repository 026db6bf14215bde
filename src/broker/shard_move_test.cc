// Shards that move between workers while clients talk: nothing lost, doubled or out of order, timers and
// queues included.
#include "broker/shard_move.h"

#include "broker/worker_state.h"
#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Moving {
  explicit Moving(std::uint16_t workers = 3, broker::ListenerPolicy listener = {})
      : world{{.workers = workers, .listener = std::move(listener)}} {}
  [[nodiscard]] std::uint16_t next_of(const std::string& id) {
    const auto owner = world.node().owner_of(world.node().shard_of(id)).value;
    return static_cast<std::uint16_t>((owner + 1) % world.worker_count());
  }
  void move(const std::string& id) { world.move_shard(world.node().shard_of(id), next_of(id)); }
  World world;
};

TEST(ShardMove, OfAPublisherAndASubscriberKeepsTheOrder) {
  for (const Qos qos : {Qos::kAtMostOnce, Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
    Moving moving;
    World& world = moving.world;
    Client subscriber = joined(world, "subscriber");
    subscriber.subscribe("a", qos);
    subscriber.run();
    Client publisher = joined(world, "publisher");
    for (int i = 1; i <= 30; ++i) {
      publisher.publish("a", std::to_string(i), {.qos = qos});
      if (i % 3 == 0) world.turn(static_cast<std::uint16_t>(i / 3 % 3));
      if (i % 5 == 0) moving.move("subscriber");
      if (i % 7 == 0) moving.move("publisher");
      publisher.poll();
      subscriber.poll();
    }
    run_all({&publisher, &subscriber});
    EXPECT_EQ(payloads(subscriber), numbers(1, 30));
    EXPECT_FALSE(world.has_moves());
    EXPECT_GE(world.counters().shard_moves, 4U);
    expect_balanced(world);
  }
}

// An id whose shard is, or is not, that of the group.
std::string id_near_group(World& world, const std::string& stem, bool is_near) {
  for (int i = 0;; ++i) {
    std::string id = stem + std::to_string(i);
    if ((world.node().shard_of(id) == world.node().shard_of_group("team", "jobs")) == is_near) return id;
  }
}

TEST(ShardMove, OfAGroupAndItsOnlyMemberKeepsTheOrder) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    World world{{.workers = 2, .seed = seed, .is_chaotic = true, .node = {.shards = 2}}};
    Client member = joined(world, id_near_group(world, "member", true));
    member.subscribe("$share/team/jobs", Qos::kAtLeastOnce);
    member.run();
    Client publisher = joined(world, id_near_group(world, "publisher", false));
    const broker::ShardId shard = world.node().shard_of_group("team", "jobs");
    for (int i = 1; i <= 60; ++i) {
      publisher.publish("jobs", std::to_string(i),
                        {.qos = i % 2 == 0 ? Qos::kAtMostOnce : Qos::kAtLeastOnce});
      const std::uint16_t owner = world.node().owner_of(shard).value;
      if (world.below(6) == 0 && !world.has_moves())
        world.move_shard(shard, static_cast<std::uint16_t>(1 - owner));
      world.turn(static_cast<std::uint16_t>(world.below(2)));
      publisher.poll();
      member.poll();
    }
    run_all({&publisher, &member});
    ASSERT_EQ(payloads(member), numbers(1, 60)) << "seed " << seed;
    expect_balanced(world);
  }
}

TEST(ShardMove, BeginsOnlyWhenTheOneBeforeIsComplete) {
  Moving moving;
  World& world = moving.world;
  Client client = joined(world, "client");
  const broker::ShardId shard = world.node().shard_of("client");
  moving.move("client");
  moving.move("client");  // its new owner has not got everything yet
  EXPECT_EQ(world.counters().shard_moves, 1U);
  world.settle();
  world.move_shard(shard, world.node().owner_of(shard).value);  // to itself: nothing to do
  EXPECT_EQ(world.counters().shard_moves, 1U);
  moving.move("client");
  world.settle();
  EXPECT_EQ(world.counters().shard_moves, 2U);
  client.ping();
  client.run();
  EXPECT_EQ(client.pings, 1);
}

TEST(ShardMove, TakesTheQueueAndTheTimersOfOfflineSessions) {
  Moving moving;
  World& world = moving.world;
  Client watcher = joined(world, "watcher");
  watcher.subscribe("w");
  watcher.run();
  Client sleeper =
      joined(world, "sleeper",
             {.session_expiry_s = 100, .will = WillOptions{.topic = "w", .payload = "gone", .delay_s = 50}});
  sleeper.subscribe("a", Qos::kAtLeastOnce);
  sleeper.run();
  sleeper.drop_link();
  Client publisher = joined(world, "publisher");
  publisher.publish("a", "1", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  world.advance(Duration::seconds(20));
  moving.move("sleeper");
  publisher.publish("a", "2", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  world.advance(Duration::seconds(29));
  watcher.run();
  EXPECT_THAT(watcher.received, IsEmpty());
  world.advance(Duration::seconds(1));
  watcher.run();
  EXPECT_THAT(payloads(watcher), ElementsAre("gone"));
  EXPECT_EQ(world.counters().ledger.waiting, 2);
  Client back = joined(world, "sleeper", {.clean_start = false, .session_expiry_s = 100});
  EXPECT_EQ(payloads(back), numbers(1, 2));
  back.drop_link();
  world.settle();
  moving.move("sleeper");
  world.advance(Duration::seconds(100));
  EXPECT_EQ(world.counters().sessions_expired, 1U);
  EXPECT_EQ(world.counters().sessions, 2);
  expect_balanced(world);
}

TEST(ShardMove, KeepsWhatIsInFlightAndTheIdsOfQos2) {
  Moving moving;
  World& world = moving.world;
  Client client = joined(world, "client", {.receive_maximum = 2});
  client.auto_acknowledge = false;
  client.subscribe("a", Qos::kExactlyOnce);
  client.publish("b", "x", {.qos = Qos::kExactlyOnce, .packet_id = std::uint16_t{9}});
  client.run();
  Client publisher = joined(world, "publisher");
  for (int i = 1; i <= 3; ++i) publisher.publish("a", std::to_string(i), {.qos = Qos::kExactlyOnce});
  publisher.run();
  client.run();
  client.acknowledge(PacketType::kPubrec, client.received[0].packet_id);
  client.run();
  moving.move("client");
  client.acknowledge(PacketType::kPubcomp, client.received[0].packet_id);
  client.acknowledge(PacketType::kPubrec, client.received[1].packet_id);
  client.acknowledge(PacketType::kPubrel, {9});
  run_all({&publisher, &client});
  EXPECT_EQ(payloads(client), numbers(1, 3)) << "the window moved along";
  EXPECT_EQ(client.acks.back().type, PacketType::kPubcomp);
  EXPECT_EQ(client.acks.back().code, ReasonCode::kSuccess);
  expect_balanced(world);
}

TEST(ShardMove, WhatAClientSendsMeanwhileIsActedOnAfterwards) {
  Moving moving{4};
  World& world = moving.world;
  Client client = joined(world, "client");
  moving.move("client");
  client.subscribe("a", Qos::kAtLeastOnce);
  client.publish("a", "own", {.qos = Qos::kAtLeastOnce});
  client.ping();
  run_all({&client});
  EXPECT_THAT(payloads(client), ElementsAre("own"));
  EXPECT_EQ(client.pings, 1);
  EXPECT_THAT(client.subacks, SizeIs(1));
}

TEST(ShardMove, AConnectionOnItsWayFollowsItsShard) {
  for (const bool leaves_first : {false, true}) {
    Moving moving;
    World& world = moving.world;
    const std::string id = id_at(world, 1);
    Client client{world, id};
    client.connect({.worker = 0});
    if (leaves_first) moving.move(id);
    world.turn(0);
    if (!leaves_first) moving.move(id);
    client.run();
    EXPECT_EQ(client.connack_code, ReasonCode::kSuccess);
    EXPECT_FALSE(world.has_moves());
    EXPECT_EQ(world.counters().connections, 1);
    EXPECT_EQ(world.counters().clients_connected, 1);
  }
}

TEST(ShardMove, APeerThatHangsUpMeanwhile) {
  Moving moving;
  World& world = moving.world;
  Client watcher = joined(world, "watcher");
  watcher.subscribe("w");
  watcher.run();
  Client client = joined(world, "client", {.will = WillOptions{.topic = "w", .payload = "gone"}});
  moving.move("client");
  client.drop_link();
  watcher.run();
  EXPECT_THAT(payloads(watcher), ElementsAre("gone"));
  EXPECT_EQ(world.counters().sessions, 1);
  EXPECT_EQ(world.counters().clients_connected, 1);
  EXPECT_FALSE(world.has_moves());
}

TEST(ShardMove, InADrainEndsTheConnections) {
  Moving moving{2};
  World& world = moving.world;
  const std::string id = id_at(world, 0);
  Client client = joined(world, id, {.session_expiry_s = 100});
  world.move_shard(world.node().shard_of(id), 1);
  world.drain();
  client.poll();
  EXPECT_EQ(client.disconnect_code, ReasonCode::kServerShuttingDown);
  EXPECT_EQ(world.counters().sessions, 1);
}

TEST(ShardMove, AMovedSessionGetsTheMessagesOfItsNewWorker) {
  // The mark that tells a session already gathered for a message is a number of its worker: a session that
  // brings the number that comes next on its new worker must not be taken for gathered.
  Moving moving{2};
  World& world = moving.world;
  const std::string id = id_at(world, 0);
  Client mover = joined(world, id);
  mover.subscribe("a", Qos::kAtLeastOnce);
  mover.run();
  Client publisher = joined(world, id_at(world, 1, "p"), {.worker = 1});
  publisher.subscribe("a", Qos::kAtLeastOnce);
  publisher.publish("a", "before", {.qos = Qos::kAtLeastOnce});
  run_all({&publisher, &mover});
  const std::uint64_t mark = world.worker(0).state().route_mark;
  moving.move(id);
  run_all({&publisher, &mover});
  mover.received.clear();
  world.worker(1).state().route_mark = mark - 1;
  for (int i = 1; i <= 3; ++i) publisher.publish("a", std::to_string(i), {.qos = Qos::kAtLeastOnce});
  run_all({&publisher, &mover});
  EXPECT_EQ(payloads(mover), numbers(1, 3));
  expect_balanced(world);
}

TEST(ShardMove, PubacksThatWaitForReportsAreSentBeforeTheConnectionLeaves) {
  Moving moving{3, {.queue = {.overflow = broker::OverflowPolicy::kReject}}};
  World& world = moving.world;
  const std::string id = id_at(world, 0, "p");
  Client receiver = joined(world, id_at(world, 1));
  receiver.subscribe("a", Qos::kAtLeastOnce);
  receiver.run();
  Client publisher = joined(world, id);
  publisher.publish("a", "1", {.qos = Qos::kAtLeastOnce});
  publisher.publish("a", "2", {.qos = Qos::kAtLeastOnce});
  world.turn(0);
  moving.move(id);
  run_all({&publisher, &receiver});
  EXPECT_THAT(publisher.acks, SizeIs(2));
  EXPECT_EQ(payloads(receiver), numbers(1, 2));
}

TEST(ShardMove, SubscriptionsOfALeavingShardDoNotStayInTheTree) {
  Moving moving;
  World& world = moving.world;
  Client client = joined(world, "client");
  for (int i = 0; i < 10; ++i) client.subscribe("f/" + std::to_string(i));
  client.subscribe("$share/team/g");
  client.run();
  for (int i = 0; i < 3; ++i) {
    moving.move("client");
    const auto shard = world.node().shard_of_group("team", "g");
    world.settle();
    world.move_shard(shard, static_cast<std::uint16_t>((world.node().owner_of(shard).value + 1) % 3));
    client.run();
  }
  EXPECT_EQ(world.node().tree().filter_count(), 11U);
  EXPECT_EQ(world.counters().subscriptions, 11);
  EXPECT_EQ(world.counters().shared_subscriptions, 1);
  client.drop_link();
  world.settle();
  EXPECT_EQ(world.node().tree().filter_count(), 0U);
}

}  // namespace
}  // namespace nightjar::testing
