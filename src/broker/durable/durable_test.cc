// What is stored when, and what a crash leaves: the whole core over a store that loses what is not durable.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "broker/connection.h"
#include "broker/worker_state.h"
#include "mqtt/writer.h"
#include "tests/support/map_store.h"
#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using broker::Table;
using mqtt::PacketType;
using mqtt::Qos;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr ConnectOptions kKept{.clean_start = false, .session_expiry_s = 10'000};
constexpr ConnectOptions kClean{};

// One broker after another on the same store.
struct Machine {
  explicit Machine(std::uint16_t worker_count = 2) : workers(worker_count) { start(); }
  void start() {
    world.emplace(WorldOptions{
        .workers = workers, .node = {.shards = 16, .sys_interval = Duration{0}}, .store = &store});
  }
  void crash() {
    world->crash();
    world.reset();
    start();
  }
  // The client of an earlier broker with a link to this one.
  Client again(const std::string& id, const ConnectOptions& options = kKept) {
    return joined(*world, id, options);
  }

  MapStore store;
  std::uint16_t workers;
  std::optional<World> world;
};

Client subscribed(Machine& machine, const std::string& id, const std::string& filter, Qos qos,
                  const ConnectOptions& options = kKept) {
  Client client = joined(*machine.world, id, options);
  client.subscribe(filter, qos);
  client.run();
  return client;
}

std::vector<PacketType> ack_types(const Client& client) {
  std::vector<PacketType> types;
  for (const Client::Ack& ack : client.acks) types.push_back(ack.type);
  return types;
}

TEST(Durable, AMessageForAnAbsentClientIsAcknowledgedWhenItIsStored) {
  Machine machine;
  Client client = subscribed(machine, "client", "a", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(*machine.world, "publisher", kClean);
  machine.store.is_held = true;
  publisher.publish("a", "1", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  EXPECT_THAT(publisher.acks, IsEmpty());
  machine.store.is_held = false;
  publisher.run();
  EXPECT_THAT(ack_types(publisher), ElementsAre(PacketType::kPuback));
  machine.crash();
  EXPECT_EQ(machine.world->restored().messages, 1U);
  Client back = machine.again("client");
  EXPECT_TRUE(back.session_present);
  EXPECT_THAT(payloads(back), ElementsAre("1"));
  expect_balanced(*machine.world);
}

TEST(Durable, WhatWasNotStoredIsNotThereAfterACrash) {
  Machine machine;
  Client client = subscribed(machine, "client", "a", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(*machine.world, "publisher", kClean);
  machine.store.is_held = true;
  publisher.publish("a", "1", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  machine.crash();
  machine.store.is_held = false;
  Client back = machine.again("client");
  EXPECT_TRUE(back.session_present);
  EXPECT_THAT(back.received, IsEmpty());
}

TEST(Durable, WhatTheReceiverHasAcknowledgedNeedNotBeWritten) {
  Machine machine;
  Client client = subscribed(machine, "client", "a", Qos::kAtLeastOnce);
  Client publisher = joined(*machine.world, "publisher", kClean);
  run_all({&client, &publisher});
  const std::size_t before = machine.store.writes();
  for (int i = 0; i < 20; ++i) {
    publisher.publish("a", std::to_string(i), {.qos = Qos::kAtLeastOnce});
    // As fast as a connected receiver is: within the turns of the same millisecond.
    for (int turn = 0; turn < 6; ++turn) {
      for (std::uint16_t worker = 0; worker < machine.workers; ++worker) machine.world->turn(worker);
      client.poll();
    }
    publisher.poll();
  }
  EXPECT_THAT(client.received, SizeIs(20));
  EXPECT_THAT(publisher.acks, SizeIs(20));
  EXPECT_EQ(machine.store.writes(), before);
  EXPECT_THAT(machine.store.rows(Table::kQueues), IsEmpty());
}

TEST(Durable, AnIdleBrokerWritesNothing) {
  Machine machine;
  Client client = subscribed(machine, "client", "a", Qos::kAtLeastOnce);
  run_all({&client});
  const std::size_t before = machine.store.writes();
  machine.world->advance(Duration::seconds(600));
  EXPECT_EQ(machine.store.writes(), before);
}

TEST(Durable, AQos2MessageIsSentWhenItsPacketIdIsStored) {
  Machine machine;
  Client client = subscribed(machine, "client", "a", Qos::kExactlyOnce);
  Client publisher = joined(*machine.world, "publisher", kClean);
  run_all({&client, &publisher});
  machine.store.is_held = true;
  publisher.publish("a", "1", {.qos = Qos::kExactlyOnce});
  run_all({&client, &publisher});
  EXPECT_THAT(client.received, IsEmpty());
  EXPECT_THAT(publisher.acks, IsEmpty());
  machine.store.is_held = false;
  run_all({&client, &publisher});
  ASSERT_THAT(client.received, SizeIs(1));
  EXPECT_FALSE(client.received[0].dup);
  EXPECT_THAT(ack_types(publisher), ElementsAre(PacketType::kPubrec, PacketType::kPubcomp));
}

TEST(Durable, AQos2MessageThatWasRecordedIsNotRoutedAgain) {
  for (const bool is_stored : {true, false}) {
    Machine machine;
    Client client = subscribed(machine, "client", "a", Qos::kExactlyOnce);
    client.drop_link();
    Client publisher = joined(*machine.world, "publisher", kKept);
    publisher.auto_acknowledge = false;
    publisher.run();
    machine.store.is_held = !is_stored;
    publisher.publish("a", "1", {.qos = Qos::kExactlyOnce, .packet_id = 7});
    publisher.run();
    EXPECT_THAT(publisher.acks, SizeIs(is_stored ? 1 : 0));
    machine.crash();
    machine.store.is_held = false;
    Client again = machine.again("publisher");
    EXPECT_TRUE(again.session_present);
    again.publish("a", "1", {.qos = Qos::kExactlyOnce, .dup = true, .packet_id = 7});
    again.run();
    EXPECT_THAT(ack_types(again), ElementsAre(PacketType::kPubrec, PacketType::kPubcomp));
    Client back = machine.again("client");
    back.run();
    EXPECT_THAT(payloads(back), ElementsAre("1"));
    // The id is free again, also after one more crash.
    machine.crash();
    Client third = machine.again("publisher");
    third.publish("a", "2", {.qos = Qos::kExactlyOnce, .packet_id = 7});
    third.run();
    Client last = machine.again("client");
    EXPECT_THAT(payloads(last), ElementsAre("2"));
  }
}

TEST(Durable, AReleasedMessageIsReleasedAgainAndNotSent) {
  Machine machine;
  Client client = subscribed(machine, "client", "a", Qos::kExactlyOnce);
  client.auto_acknowledge = false;
  Client publisher = joined(*machine.world, "publisher", kClean);
  publisher.publish("a", "1", {.qos = Qos::kExactlyOnce});
  publisher.publish("a", "2", {.qos = Qos::kExactlyOnce});
  run_all({&publisher, &client});
  ASSERT_THAT(client.received, SizeIs(2));
  machine.store.is_held = true;
  client.acknowledge(PacketType::kPubrec, client.received[0].packet_id);
  client.run();
  EXPECT_THAT(client.acks, IsEmpty());  // PUBREL waits for the record of PUBREC
  machine.store.is_held = false;
  client.run();
  EXPECT_THAT(ack_types(client), ElementsAre(PacketType::kPubrel));
  const mqtt::PacketId released = client.received[0].packet_id;
  const mqtt::PacketId open = client.received[1].packet_id;
  machine.crash();
  Client back{*machine.world, "client"};
  back.auto_acknowledge = false;
  back.connect(kKept);
  back.run();
  ASSERT_THAT(back.acks, SizeIs(1));
  EXPECT_EQ(back.acks[0].packet_id, released);
  ASSERT_THAT(back.received, SizeIs(1));
  EXPECT_EQ(back.received[0].payload, "2");
  EXPECT_EQ(back.received[0].packet_id, open);
  EXPECT_TRUE(back.received[0].dup);
  back.acknowledge(PacketType::kPubcomp, released);
  back.acknowledge(PacketType::kPubrec, open);
  back.auto_acknowledge = true;
  back.run();
  machine.world->advance(Duration::seconds(1));
  expect_balanced(*machine.world);
  machine.crash();
  EXPECT_EQ(machine.world->restored().messages, 0U);
}

TEST(Durable, AnUnacknowledgedMessageKeepsItsPacketId) {
  Machine machine;
  Client client = subscribed(machine, "client", "a", Qos::kAtLeastOnce);
  client.auto_acknowledge = false;
  Client publisher = joined(*machine.world, "publisher", kClean);
  publish_numbers(publisher, 1, 5, Qos::kAtLeastOnce);
  client.run();
  ASSERT_THAT(client.received, SizeIs(5));
  client.acknowledge(PacketType::kPuback, client.received[1].packet_id);
  client.run();
  machine.world->advance(Duration::seconds(1));
  machine.crash();
  Client back = machine.again("client");
  EXPECT_EQ(payloads(back), (std::vector<std::string>{"1", "3", "4", "5"}));
  EXPECT_EQ(back.received[0].packet_id, client.received[0].packet_id);
  EXPECT_EQ(back.received[1].packet_id, client.received[2].packet_id);
  expect_balanced(*machine.world);
}

TEST(Durable, ASubackThatWasSentHolds) {
  Machine machine;
  Client client = joined(*machine.world, "client", kKept);
  machine.store.is_held = true;
  client.subscribe("a/+", Qos::kExactlyOnce, 5);
  client.run();
  EXPECT_THAT(client.subacks, IsEmpty());
  machine.store.is_held = false;
  client.run();
  EXPECT_THAT(client.subacks, SizeIs(1));
  client.subscribe("b", Qos::kAtMostOnce);
  client.run();
  client.unsubscribe("b");
  client.run();
  machine.crash();
  EXPECT_EQ(machine.world->restored().subscriptions, 1U);
  Client publisher = joined(*machine.world, "publisher", kClean);
  publisher.publish("a/1", "x", {.qos = Qos::kExactlyOnce});
  publisher.publish("b", "y", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  Client back = machine.again("client");
  ASSERT_THAT(payloads(back), ElementsAre("x"));
  EXPECT_EQ(back.received[0].qos, Qos::kExactlyOnce);
  EXPECT_THAT(back.received[0].subscription_ids, ElementsAre(5U));
}

TEST(Durable, ConnackWaitsForASessionThatIsKept) {
  Machine machine;
  machine.store.is_held = true;
  Client client{*machine.world, "client"};
  client.connect(kKept);
  client.subscribe("a", Qos::kAtLeastOnce);  // sent without waiting for CONNACK
  client.run();
  EXPECT_FALSE(client.connack_code.has_value());
  Client clean = joined(*machine.world, "clean", kClean);
  EXPECT_TRUE(clean.connack_code.has_value());
  machine.store.is_held = false;
  client.run();
  EXPECT_TRUE(client.connack_code.has_value());
  EXPECT_THAT(client.subacks, SizeIs(1));
}

TEST(Durable, ACleanStartForgets) {
  Machine machine;
  Client client = subscribed(machine, "client", "a", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(*machine.world, "publisher", kClean);
  publish_numbers(publisher, 1, 3, Qos::kAtLeastOnce);
  Client clean = machine.again("client", {.clean_start = true, .session_expiry_s = 10'000});
  EXPECT_FALSE(clean.session_present);
  machine.crash();
  EXPECT_EQ(machine.world->restored().messages, 0U);
  EXPECT_EQ(machine.world->restored().subscriptions, 0U);
  Client back = machine.again("client");
  EXPECT_TRUE(back.session_present);
}

TEST(Durable, ASessionThatEndsWithItsConnectionIsNotKept) {
  Machine machine;
  Client client = subscribed(machine, "client", "a", Qos::kAtLeastOnce);
  client.disconnect(mqtt::ReasonCode::kSuccess, 0);
  client.run();
  Client other = subscribed(machine, "other", "a", Qos::kAtLeastOnce);
  other.drop_link();
  Client resumed = machine.again("other", {.clean_start = false, .session_expiry_s = 0});
  EXPECT_TRUE(resumed.session_present);
  machine.crash();
  EXPECT_EQ(machine.world->restored().sessions, 0U);
  EXPECT_THAT(machine.store.rows(Table::kSessions), IsEmpty());
}

TEST(Durable, TimeGoesOnForASession) {
  Machine machine;
  Client client =
      subscribed(machine, "client", "a", Qos::kAtLeastOnce, {.clean_start = false, .session_expiry_s = 100});
  client.drop_link();
  machine.world->advance(Duration::seconds(60));
  machine.crash();
  machine.world->advance(Duration::seconds(30));
  EXPECT_EQ(machine.world->counters().sessions, 1);
  machine.world->advance(Duration::seconds(15));
  EXPECT_EQ(machine.world->counters().sessions, 0);
  machine.crash();
  EXPECT_EQ(machine.world->restored().sessions, 0U);
}

TEST(Durable, AWillIsPublishedAfterTheCrashOnce) {
  Machine machine;
  Client observer = subscribed(machine, "observer", "will/#", Qos::kExactlyOnce);
  ConnectOptions options = kKept;
  options.will = WillOptions{.topic = "will/1", .payload = "gone", .qos = Qos::kExactlyOnce, .delay_s = 5};
  Client client = joined(*machine.world, "client", options);
  options.will->topic = "will/2";
  Client resumes = joined(*machine.world, "resumes", options);
  machine.crash();
  EXPECT_EQ(machine.world->restored().wills, 2U);
  Client back = machine.again("observer");
  Client resumed = machine.again("resumes");
  EXPECT_TRUE(resumed.session_present);
  back.run();
  EXPECT_THAT(back.received, IsEmpty());
  machine.world->advance(Duration::seconds(6));
  back.run();
  EXPECT_THAT(payloads(back), ElementsAre("gone"));
  machine.crash();
  machine.world->advance(Duration::seconds(60));
  Client last = machine.again("observer");
  EXPECT_THAT(last.received, IsEmpty());
}

TEST(Durable, RetainedMessagesAreTheLastOnes) {
  Machine machine;
  Client publisher = joined(*machine.world, "publisher", kClean);
  for (int i = 1; i <= 5; ++i) {
    publisher.publish("r/1", std::to_string(i), {.qos = Qos::kAtLeastOnce, .retain = true});
    publisher.publish("r/2", std::to_string(i), {.qos = Qos::kAtLeastOnce, .retain = true});
  }
  publisher.publish("r/2", "", {.qos = Qos::kAtLeastOnce, .retain = true});
  publisher.run();
  EXPECT_THAT(publisher.acks, SizeIs(11));
  machine.crash();
  EXPECT_EQ(machine.world->restored().retained, 1U);
  Client client = subscribed(machine, "client", "r/#", Qos::kAtLeastOnce);
  client.run();
  EXPECT_THAT(payloads(client), ElementsAre("5"));
}

TEST(Durable, AGroupKeepsWhatItsMembersDidNotAcknowledge) {
  for (const Qos qos : {Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
    Machine machine;
    Client member = subscribed(machine, "member", "$share/g/a", qos);
    member.auto_acknowledge = false;
    Client publisher = joined(*machine.world, "publisher", kClean);
    publish_numbers(publisher, 1, 4, qos);
    member.run();
    EXPECT_EQ(payloads(member), numbers(1, 4));
    publisher.run();
    member.drop_link();
    publish_numbers(publisher, 5, 6, qos);
    EXPECT_THAT(publisher.acks, SizeIs(qos == Qos::kAtLeastOnce ? 6 : 12));
    machine.crash();
    Client back = machine.again("member");
    back.run();
    EXPECT_EQ(payloads(back), numbers(1, 6));
    machine.world->advance(Duration::seconds(1));
    expect_balanced(*machine.world);
    machine.crash();
    EXPECT_EQ(machine.world->restored().messages, 0U);
  }
}

TEST(Durable, AMessageForAnotherWorkerIsAcknowledgedWhenThatHasStoredIt) {
  Machine machine;
  World& world = *machine.world;
  const std::string far = id_at(world, 1, "far");
  const std::string near = id_at(world, 0, "near");
  Client client = subscribed(machine, far, "a", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(world, near, kClean);
  run_all({&publisher});
  machine.store.is_held = true;
  publisher.publish("a", "1", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  EXPECT_THAT(publisher.acks, IsEmpty());
  machine.store.is_held = false;
  publisher.run();
  EXPECT_THAT(publisher.acks, SizeIs(1));
  machine.crash();
  Client back = machine.again(far);
  EXPECT_THAT(payloads(back), ElementsAre("1"));
}

TEST(Durable, TheBacklogOfAnAbsentClientIsWithTheStoreOnly) {
  for (const bool crashes : {false, true}) {
    Machine machine;
    Client client = subscribed(machine, "client", "a", Qos::kExactlyOnce);
    client.drop_link();
    Client publisher = joined(*machine.world, "publisher", kClean);
    for (int i = 0; i < 10; ++i)
      publish_numbers(publisher, i * 50 + 1, i * 50 + 50, i % 2 == 0 ? Qos::kAtLeastOnce : Qos::kExactlyOnce);
    publisher.run();
    if (crashes) machine.crash();
    const broker::Node& node = machine.world->node();
    broker::Session* session =
        machine.world->worker(node.owner_of(node.shard_of("client")).value).state().find_session("client");
    ASSERT_NE(session, nullptr);
    ASSERT_NE(session->outbox.spilled(), nullptr);
    EXPECT_EQ(session->outbox.spilled()->count, 500U);
    EXPECT_EQ(session->outbox.loaded(), 0U);
    EXPECT_EQ(session->outbox.size(), 500U);
    EXPECT_EQ(machine.world->counters().ledger.waiting, 500);
    // What comes while some of it is on its way from the disk stays behind it.
    Client back{*machine.world, "client"};
    back.connect(kKept);
    Client late = joined(*machine.world, "late", kClean);
    publish_numbers(late, 501, 520, Qos::kAtLeastOnce);
    run_all({&back, &late});
    EXPECT_EQ(payloads(back), numbers(1, 520));
    expect_balanced(*machine.world);
    machine.world->advance(Duration::seconds(1));
    EXPECT_THAT(machine.store.rows(Table::kQueues), IsEmpty());
    machine.crash();
    EXPECT_EQ(machine.world->restored().messages, 0U);
  }
}

TEST(Durable, ABacklogThatIsLeftInTheMiddleGoesOnThere) {
  Machine machine;
  Client client = subscribed(machine, "client", "a", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(*machine.world, "publisher", kClean);
  for (int i = 0; i < 10; ++i) publish_numbers(publisher, i * 50 + 1, i * 50 + 50, Qos::kAtLeastOnce);
  Client back{*machine.world, "client"};
  ConnectOptions narrow = kKept;
  narrow.receive_maximum = 30;
  back.auto_acknowledge = false;
  back.connect(narrow);
  back.run();
  EXPECT_EQ(payloads(back), numbers(1, 30));
  for (const Received& got : std::vector<Received>{back.received})
    back.acknowledge(PacketType::kPuback, got.packet_id);
  back.run();
  EXPECT_EQ(payloads(back), numbers(1, 60));
  back.drop_link();
  machine.world->advance(Duration::seconds(1));
  machine.crash();
  Client last = machine.again("client");
  last.run();
  EXPECT_EQ(payloads(last), numbers(31, 500));
  expect_balanced(*machine.world);
}

TEST(Durable, WhatCannotBeStoredIsRefusedAndEverythingElseGoesOn) {
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

TEST(Durable, AFloodWhileTheDiskIsFullLeavesNothingBehind) {
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

TEST(Durable, AnAcknowledgementWaitsUntilTheStoreTakesItAgain) {
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

TEST(Durable, WhoDisconnectsBehindItsMessagesHearsThatTheyAreStored) {
  Machine machine;
  Client client = subscribed(machine, "client", "a", Qos::kAtLeastOnce);
  client.drop_link();
  ConnectOptions options = kClean;
  options.will = WillOptions{.topic = "a", .payload = "will", .qos = Qos::kAtLeastOnce};
  Client publisher = joined(*machine.world, "publisher", options);
  machine.store.is_held = true;
  publisher.publish("a", "1", {.qos = Qos::kAtLeastOnce});
  ByteBuffer goodbye;
  mqtt::write_disconnect(goodbye, mqtt::Version::k5, mqtt::ReasonCode::kSuccess);
  publisher.send(goodbye.view());
  publisher.run();
  EXPECT_FALSE(publisher.is_closed());
  machine.store.is_held = false;
  publisher.run();
  EXPECT_THAT(publisher.acks, SizeIs(1));
  EXPECT_TRUE(publisher.is_closed());
  Client back = machine.again("client");
  EXPECT_THAT(payloads(back), ElementsAre("1")) << "the will was taken back";
}

TEST(Durable, AShardThatMovesTakesItsStoredStateAlong) {
  Machine machine;
  World& world = *machine.world;
  const std::string id = id_at(world, 0, "mover");
  Client client = subscribed(machine, id, "a", Qos::kExactlyOnce);
  client.auto_acknowledge = false;
  Client publisher = joined(world, id_at(world, 1, "publisher"), kClean);
  publish_numbers(publisher, 1, 2, Qos::kExactlyOnce);
  client.run();
  world.move_shard(world.node().shard_of(id), 1);
  publish_numbers(publisher, 3, 4, Qos::kExactlyOnce);
  client.run();
  EXPECT_EQ(payloads(client), numbers(1, 4));
  client.acknowledge(PacketType::kPubrec, client.received[0].packet_id);
  client.run();
  EXPECT_THAT(client.acks, SizeIs(1));
  machine.crash();
  Client back = machine.again(id);
  EXPECT_EQ(payloads(back), numbers(2, 4));
}

}  // namespace
}  // namespace nightjar::testing
