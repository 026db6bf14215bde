// The core end to end in one thread: connect, subscribe, publish across workers, wills, sessions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/client.h"
#include "tests/support/world.h"

namespace nightjar::testing {
namespace {

using mqtt::Qos;
using mqtt::ReasonCode;

TEST(Core, DeliversAtEveryQosAcrossWorkers) {
  World world{{.workers = 4}};
  Client subscriber{world, "subscriber"};
  subscriber.connect({.worker = 3});
  subscriber.run();
  ASSERT_EQ(subscriber.connack_code, ReasonCode::kSuccess);
  subscriber.subscribe("plant/+/temperature", Qos::kExactlyOnce);
  subscriber.run();
  Client publisher{world, "publisher"};
  publisher.connect({.worker = 1});
  publisher.run();
  for (const Qos qos : {Qos::kAtMostOnce, Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
    publisher.publish("plant/1/temperature", "21.5", {.qos = qos});
  }
  publisher.run();
  subscriber.run();
  publisher.run();
  ASSERT_EQ(subscriber.received.size(), 3U);
  EXPECT_EQ(subscriber.received[0].qos, Qos::kAtMostOnce);
  EXPECT_EQ(subscriber.received[1].qos, Qos::kAtLeastOnce);
  EXPECT_EQ(subscriber.received[2].qos, Qos::kExactlyOnce);
  const broker::Counters counters = world.counters();
  EXPECT_EQ(counters.ledger.delivered, 3U);
  EXPECT_EQ(counters.ledger.in_flight, 0);
  EXPECT_EQ(counters.ledger.imbalance(), 0);
}

TEST(Core, MovesAShardWithItsClients) {
  World world{{.workers = 3}};
  Client subscriber{world, "subscriber"};
  subscriber.connect({.session_expiry_s = 100});
  subscriber.run();
  subscriber.subscribe("a/#", Qos::kAtLeastOnce);
  subscriber.run();
  Client publisher{world, "publisher"};
  publisher.connect({});
  publisher.run();
  const broker::ShardId shard = world.node().shard_of("subscriber");
  for (int move = 1; move <= 6; ++move) {
    publisher.publish("a/b", std::to_string(move), {.qos = Qos::kAtLeastOnce});
    world.move_shard(shard, static_cast<std::uint16_t>((world.node().owner_of(shard).value + 1) % 3));
    publisher.publish("a/b", std::to_string(move) + "x", {.qos = Qos::kAtLeastOnce});
    publisher.run();
    subscriber.run();
    EXPECT_FALSE(world.has_moves());
  }
  ASSERT_EQ(subscriber.received.size(), 12U);
  EXPECT_EQ(subscriber.received[11].payload, "6x");
  EXPECT_EQ(world.counters().ledger.imbalance(), 0);
}

}  // namespace
}  // namespace nightjar::testing
