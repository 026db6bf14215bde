// A full disk as the core sees it: a store that refuses. What then is refused, waits or goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/machine.h"

namespace nightjar::testing {
namespace {

using mqtt::PacketType;
using mqtt::Qos;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(RefusingStore, WhatCannotBeStoredIsRefusedAndEverythingElseGoesOn) {
  Machine machine;
  Client kept = subscribed(machine, "kept", "kept", Qos::kAtLeastOnce);
  Client clean = subscribed(machine, "clean", "clean", Qos::kAtLeastOnce, kClean);
  Client publisher = joined(*machine.world, "publisher", kClean);
  Client old{*machine.world, "old"};
  old.connect({.version = mqtt::Version::k311});
  run_all({&kept, &clean, &publisher, &old});
  machine.store.set_refusing(true);
  publisher.publish("kept", "1", {.qos = Qos::kAtLeastOnce});
  publisher.publish("kept", "2", {.qos = Qos::kExactlyOnce});
  publisher.publish("clean", "3", {.qos = Qos::kAtLeastOnce});
  publisher.publish("kept", "4", {.qos = Qos::kAtMostOnce});
  publisher.publish("r", "5", {.qos = Qos::kAtLeastOnce, .retain = true});
  old.publish("kept", "6", {.qos = Qos::kAtLeastOnce});
  old.publish("clean", "7", {.qos = Qos::kAtLeastOnce});
  run_all({&publisher, &clean, &kept, &old});
  std::vector<mqtt::ReasonCode> codes;
  for (const Client::Ack& ack : publisher.acks) codes.push_back(ack.code);
  EXPECT_THAT(codes, ElementsAre(mqtt::ReasonCode::kQuotaExceeded, mqtt::ReasonCode::kQuotaExceeded,
                                 mqtt::ReasonCode::kSuccess, mqtt::ReasonCode::kQuotaExceeded));
  EXPECT_THAT(publisher.acks[0].reason, ::testing::HasSubstr("disk"));
  EXPECT_THAT(payloads(clean), ElementsAre("3"));
  EXPECT_THAT(payloads(kept), ElementsAre("4"));
  EXPECT_TRUE(old.is_closed()) << "3.1.1 has no word for it: nothing later is acknowledged either";
  Client late{*machine.world, "late"};
  late.connect(kKept);
  late.run();
  EXPECT_EQ(late.connack_code, mqtt::ReasonCode::kServerUnavailable);
  machine.store.set_refusing(false);
  publisher.publish("kept", "8", {.qos = Qos::kAtLeastOnce});
  run_all({&publisher, &kept});
  EXPECT_THAT(payloads(kept), ElementsAre("4", "8"));
  EXPECT_EQ(publisher.acks.back().code, mqtt::ReasonCode::kSuccess);
}

TEST(RefusingStore, AFloodWhileTheDiskIsFullLeavesNothingBehind) {
  Machine machine;
  Client publisher = joined(*machine.world, "publisher", kClean);
  publisher.publish("r", "old", {.qos = Qos::kAtLeastOnce, .retain = true});
  publisher.run();
  machine.store.set_refusing(true);
  const std::size_t before = machine.store.announced;
  for (int i = 0; i < 100; ++i) {
    publisher.publish("r", std::to_string(i), {.retain = true});
    publisher.run();
  }
  EXPECT_EQ(machine.store.announced, before);
  machine.store.set_refusing(false);
  Client client = subscribed(machine, "client", "r", Qos::kAtMostOnce, kClean);
  EXPECT_THAT(payloads(client), ElementsAre("99"));
}

TEST(RefusingStore, AnAcknowledgementWaitsUntilTheStoreTakesItAgain) {
  Machine machine;
  Client client = subscribed(machine, "client", "a", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(*machine.world, "publisher", kClean);
  machine.store.is_held = true;
  publisher.publish("a", "1", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  machine.store.set_refusing(true);  // the write failed
  machine.store.is_held = false;
  publisher.run();
  EXPECT_THAT(publisher.acks, IsEmpty());
  machine.store.set_refusing(false);
  publisher.run();
  EXPECT_THAT(publisher.acks, SizeIs(1));
  machine.crash();
  Client back = machine.again("client");
  EXPECT_THAT(payloads(back), ElementsAre("1"));
}

TEST(RefusingStore, WhatIsRemovedMeanwhileDoesNotComeBack) {
  Machine machine;
  Client publisher = joined(*machine.world, "publisher", kClean);
  for (int i = 0; i < 3000; ++i) {
    publisher.publish("r/" + std::to_string(i), "old", {.qos = Qos::kAtLeastOnce, .retain = true});
    if (i % 100 == 99) publisher.run();
  }
  machine.store.set_refusing(true);
  for (int i = 0; i < 3000; ++i) {
    publisher.publish("r/" + std::to_string(i), "new", {.retain = true});
    if (i % 2 == 0) publisher.publish("r/" + std::to_string(i), "", {.retain = true});
  }
  publisher.run();
  machine.world->advance(Duration::seconds(3));
  machine.store.set_refusing(false);
  machine.world->advance(Duration::seconds(2));
  machine.crash();
  EXPECT_EQ(machine.world->restored().retained, 1500U);
  const Client client = subscribed(machine, "client", "r/#", Qos::kAtMostOnce, kClean);
  EXPECT_EQ(payloads(client), std::vector<std::string>(1500, "new"));
}

TEST(RefusingStore, WhatWasPutOffIsHandedInAtTheEnd) {
  Machine machine;
  Client publisher = joined(*machine.world, "publisher", kClean);
  machine.store.set_refusing(true);
  publisher.publish("r", "new", {.retain = true});
  publisher.run();
  machine.world->drain();
  const std::size_t before = machine.store.announced;
  machine.world.reset();
  EXPECT_EQ(machine.store.announced, before + 1);
}

// It needs none of what was put off, and does not wait for it.
TEST(RefusingStore, AShardMovesWithoutWhatWasPutOff) {
  Machine machine;
  Client publisher = joined(*machine.world, "publisher", kClean);
  machine.store.set_refusing(true);
  publisher.publish("r", "new", {.retain = true});
  publisher.run();
  const broker::ShardId shard = machine.world->node().shard_of(publisher.id());
  const std::uint16_t owner = machine.world->node().owner_of(shard).value;
  const std::size_t before = machine.store.announced;
  machine.world->move_shard(shard, owner == 0 ? 1 : 0);
  machine.world->settle();
  EXPECT_FALSE(machine.world->has_moves());
  EXPECT_EQ(machine.store.announced, before);
}

// Its packet id could not be kept, whoever gets the message.
TEST(RefusingStore, AQos2MessageOfAKeptSessionIsRefusedWhoeverGetsIt) {
  Machine machine;
  Client clean = subscribed(machine, "clean", "clean", Qos::kExactlyOnce, kClean);
  Client kept = joined(*machine.world, "kept", kKept);
  Client other = joined(*machine.world, "other", kClean);
  machine.store.set_refusing(true);
  kept.publish("clean", "1", {.qos = Qos::kExactlyOnce});
  kept.publish("nobody", "2", {.qos = Qos::kExactlyOnce});
  other.publish("clean", "3", {.qos = Qos::kExactlyOnce});
  run_all({&kept, &other, &clean});
  ASSERT_THAT(kept.acks, SizeIs(2));
  for (const Client::Ack& ack : kept.acks) {
    EXPECT_EQ(ack.type, PacketType::kPubrec);
    EXPECT_EQ(ack.code, mqtt::ReasonCode::kQuotaExceeded);
  }
  EXPECT_THAT(ack_types(other), ElementsAre(PacketType::kPubrec, PacketType::kPubcomp));
  EXPECT_THAT(payloads(clean), ElementsAre("3"));
}

TEST(RefusingStore, ARetainedMessageOfQos0GoesOnAndIsWrittenAfterwards) {
  Machine machine;
  Client live = subscribed(machine, "live", "r", Qos::kAtMostOnce, kClean);
  Client publisher = joined(*machine.world, "publisher", kClean);
  publisher.publish("r", "old", {.qos = Qos::kAtLeastOnce, .retain = true});
  run_all({&publisher, &live});
  machine.store.set_refusing(true);
  publisher.publish("r", "new", {.retain = true});
  run_all({&publisher, &live});
  EXPECT_THAT(payloads(live), ElementsAre("old", "new"));
  machine.store.set_refusing(false);
  machine.world->advance(Duration::seconds(2));
  machine.crash();
  const Client client = subscribed(machine, "client", "r", Qos::kAtMostOnce, kClean);
  EXPECT_THAT(payloads(client), ElementsAre("new"));
}

TEST(RefusingStore, WhatAKeptSessionChangesIsAnsweredWhenItIsStored) {
  Machine machine;
  Client kept = subscribed(machine, "kept", "a", Qos::kExactlyOnce);
  kept.auto_acknowledge = false;
  Client publisher = joined(*machine.world, "publisher", kKept);
  publisher.auto_acknowledge = false;
  publisher.publish("a", "1", {.qos = Qos::kExactlyOnce, .packet_id = 9});
  run_all({&publisher, &kept});
  ASSERT_THAT(kept.received, SizeIs(1));
  ASSERT_THAT(ack_types(publisher), ElementsAre(PacketType::kPubrec));
  machine.store.set_refusing(true);
  kept.subscribe("b", Qos::kAtLeastOnce);
  kept.unsubscribe("a");
  kept.acknowledge(PacketType::kPubrec, kept.received[0].packet_id);
  publisher.acknowledge(PacketType::kPubrel, mqtt::PacketId{9});
  run_all({&kept, &publisher});
  machine.world->advance(Duration::seconds(5));
  run_all({&kept, &publisher});
  EXPECT_THAT(kept.subacks, SizeIs(1)) << "of the first SUBSCRIBE";
  EXPECT_THAT(kept.unsubacks, IsEmpty());
  EXPECT_THAT(kept.acks, IsEmpty());
  EXPECT_THAT(publisher.acks, SizeIs(1));
  machine.store.set_refusing(false);
  run_all({&kept, &publisher});
  EXPECT_THAT(kept.subacks, SizeIs(2));
  EXPECT_THAT(kept.unsubacks, SizeIs(1));
  EXPECT_THAT(ack_types(kept), ElementsAre(PacketType::kPubrel));
  EXPECT_THAT(ack_types(publisher), ElementsAre(PacketType::kPubrec, PacketType::kPubcomp));
}

}  // namespace
}  // namespace nightjar::testing
