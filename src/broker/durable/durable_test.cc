// What is stored when, and what a crash leaves: the whole core over a store that loses what is not durable.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/connection.h"
#include "broker/worker_state.h"
#include "mqtt/writer.h"
#include "tests/support/machine.h"

namespace nightjar::testing {
namespace {

using broker::Table;
using mqtt::PacketType;
using mqtt::Qos;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

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

TEST(Durable, TheWillOfACleanSessionEndsWithTheProcess) {
  Machine machine;
  Client observer = subscribed(machine, "observer", "will/#", Qos::kAtLeastOnce);
  ConnectOptions options = kClean;
  options.will = WillOptions{.topic = "will/1", .payload = "gone", .qos = Qos::kAtLeastOnce};
  const Client client = joined(*machine.world, "client", options);
  machine.crash();
  EXPECT_EQ(machine.world->restored().wills, 0U);
  machine.world->advance(Duration::seconds(60));
  const Client back = machine.again("observer");
  EXPECT_TRUE(back.session_present);
  EXPECT_THAT(back.received, IsEmpty());
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

TEST(Durable, ARetainedMessageOfQos0IsWrittenSoonAfterwards) {
  Machine machine;
  Client publisher = joined(*machine.world, "publisher", kClean);
  publisher.publish("r", "1", {.retain = true});
  publisher.run();
  machine.world->advance(Duration::seconds(1));
  machine.crash();
  EXPECT_EQ(machine.world->restored().retained, 1U);
  const Client client = subscribed(machine, "client", "r", Qos::kAtMostOnce, kClean);
  EXPECT_THAT(payloads(client), ElementsAre("1"));
}

TEST(Durable, AMessageOfQos0ThatWaitsIsGoneWithTheProcess) {
  broker::ListenerPolicy listener;
  listener.queue.queue_qos0_offline = true;
  Machine machine(2, listener);
  Client client = subscribed(machine, "client", "a", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(*machine.world, "publisher", kClean);
  publisher.publish("a", "1", {.qos = Qos::kAtLeastOnce});
  publisher.publish("a", "2");
  publisher.run();
  EXPECT_EQ(machine.world->counters().ledger.waiting, 2);
  machine.crash();
  const Client back = machine.again("client");
  EXPECT_THAT(payloads(back), ElementsAre("1"));
}

// The time of the message goes on, so that what is left of it is told [MQTT-3.3.2-6].
TEST(Durable, AMessageExpiresAcrossARestart) {
  Machine machine;
  for (const char* const id : {"early", "late"}) subscribed(machine, id, "a", Qos::kAtLeastOnce).drop_link();
  Client publisher = joined(*machine.world, "publisher", kClean);
  ByteBuffer properties;
  mqtt::PropertyWriter{properties}.u32(mqtt::PropertyId::kMessageExpiryInterval, 100);
  publisher.publish("a", "short",
                    {.qos = Qos::kAtLeastOnce, .properties = std::string(as_text(properties.view()))});
  publisher.publish("a", "long", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  ASSERT_THAT(publisher.acks, SizeIs(2));
  machine.world->advance(Duration::seconds(60));
  machine.crash();
  machine.world->advance(Duration::seconds(30));
  const Client early = machine.again("early");
  EXPECT_THAT(payloads(early), ElementsAre("short", "long"));
  ASSERT_TRUE(early.received[0].expiry_s.has_value());
  EXPECT_LE(*early.received[0].expiry_s, 10U);
  machine.world->advance(Duration::seconds(11));
  const Client late = machine.again("late");
  EXPECT_THAT(payloads(late), ElementsAre("long"));
  EXPECT_EQ(dropped(*machine.world, broker::DropReason::kExpired), 1U);
  expect_balanced(*machine.world);
}

TEST(Durable, TheAgeInAQueueGoesOnAcrossARestart) {
  broker::ListenerPolicy listener;
  listener.queue.age_max = Duration::seconds(100);
  Machine machine(2, listener);
  for (const char* const id : {"early", "late"}) subscribed(machine, id, "a", Qos::kAtLeastOnce).drop_link();
  Client publisher = joined(*machine.world, "publisher", kClean);
  publish_numbers(publisher, 1, 20, Qos::kAtLeastOnce);
  machine.world->advance(Duration::seconds(60));
  machine.crash();
  machine.world->advance(Duration::seconds(30));
  EXPECT_EQ(payloads(machine.again("early")), numbers(1, 20));
  machine.world->advance(Duration::seconds(11));
  EXPECT_THAT(machine.again("late").received, IsEmpty());
  EXPECT_EQ(dropped(*machine.world, broker::DropReason::kExpired), 20U);
  expect_balanced(*machine.world);
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

TEST(Durable, ARowThatNoBrokerWroteIsNamedAtTheStart) {
  for (const Table table : {Table::kSessions, Table::kRetained}) {
    Machine machine;
    subscribed(machine, "client", "a", Qos::kAtLeastOnce).drop_link();
    Client publisher = joined(*machine.world, "publisher", kClean);
    publisher.publish("lamp", "on", {.qos = Qos::kAtLeastOnce, .retain = true});
    publisher.run();
    ASSERT_THAT(machine.store.rows(table), Not(IsEmpty()));
    for (const auto& [key, value] : machine.store.rows(table)) machine.store.put_row(table, key, "?");
    machine.crash();
    EXPECT_GE(machine.world->restored().unreadable, 1U);
    EXPECT_THAT(machine.world->restored().first_unreadable,
                HasSubstr(table == Table::kSessions ? "client" : "lamp"));
  }
}

// Found when its client comes back, for a start does not read what waits.
TEST(Durable, ARowOfABacklogThatNoBrokerWroteLosesItsMessagesOnly) {
  Machine machine;
  subscribed(machine, "client", "a", Qos::kAtLeastOnce).drop_link();
  Client publisher = joined(*machine.world, "publisher", kClean);
  for (int i = 0; i < 10; ++i) publish_numbers(publisher, i * 50 + 1, i * 50 + 50, Qos::kAtLeastOnce);
  const auto rows = machine.store.rows(Table::kQueues);
  ASSERT_THAT(rows, SizeIs(::testing::Ge(10U)));
  machine.store.put_row(Table::kQueues, std::next(rows.begin(), 3)->first, "?");
  machine.crash();
  EXPECT_EQ(machine.world->restored().unreadable, 0U);
  const Client back = machine.again("client");
  const std::size_t lost = 500 - back.received.size();
  EXPECT_GT(lost, 0U);
  EXPECT_LE(lost, 50U);
  EXPECT_EQ(back.received.front().payload, "1");
  EXPECT_EQ(back.received.back().payload, "500");
  EXPECT_EQ(dropped(*machine.world, broker::DropReason::kSessionEnded), lost);
  expect_balanced(*machine.world);
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
