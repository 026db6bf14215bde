// What of a message reaches a client, and how: QoS 0, its Maximum Packet Size, Topic Aliases, what it may
// read.
#include "broker/session/delivery.h"

#include "broker/connection.h"
#include "broker/session/delivery_scenario_test.h"

namespace nightjar::testing {
namespace {

using broker::DropReason;
using mqtt::PacketType;
using mqtt::Qos;
using mqtt::Version;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::SizeIs;

// ---- QoS 0 and offline ----

TEST(Qos0, IsDroppedForAnOfflineSessionUnlessTheListenerQueuesIt) {
  for (const bool queues : {false, true}) {
    World world{{.listener = {.queue = {.messages_max = 2, .queue_qos0_offline = queues}}}};
    Client client = subscriber_of(world, "client", Qos::kExactlyOnce);
    client.drop_link();
    Client publisher = joined(world, "publisher");
    publish_numbers(publisher, 1, 3, Qos::kAtMostOnce);
    EXPECT_EQ(after_return(client), queues ? numbers(1, 2) : numbers(1, 0));
    EXPECT_EQ(dropped(world, DropReason::kOffline), queues ? 0U : 3U);
    EXPECT_EQ(dropped(world, DropReason::kQueueFull), queues ? 1U : 0U);
    expect_balanced(world);
  }
}

TEST(Qos0, StaysBehindWhatWaits) {
  World world;
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce, {.receive_maximum = 1});
  client.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 2, Qos::kAtLeastOnce);
  publish_numbers(publisher, 3, 3, Qos::kAtMostOnce);
  client.run();
  EXPECT_EQ(payloads(client), numbers(1, 1));
  client.acknowledge(PacketType::kPuback, client.received[0].packet_id);
  client.run();
  EXPECT_EQ(payloads(client), numbers(1, 3));
  expect_balanced(world);
}

// ---- Maximum Packet Size ----

TEST(MaximumPacketSize, TooLargeMessagesAreDroppedForThisClientOnly) {
  World world;
  Client small =
      subscriber_of(world, "small", Qos::kExactlyOnce, {.receive_maximum = 1, .packet_bytes_max = 100});
  Client large = subscriber_of(world, "large", Qos::kExactlyOnce);
  Client publisher = joined(world, "publisher");
  for (const Qos qos : {Qos::kAtMostOnce, Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
    publisher.publish("a", std::string(100, 'x'), {.qos = qos});
    publisher.publish("a", "fits", {.qos = qos});
  }
  run_all({&publisher, &small, &large});
  EXPECT_THAT(payloads(small), ElementsAre("fits", "fits", "fits"));
  EXPECT_THAT(large.received, SizeIs(6));
  EXPECT_EQ(dropped(world, DropReason::kTooLarge), 3U);
  expect_balanced(world);
}

TEST(MaximumPacketSize, LoweredWhileAMessageIsInFlight) {
  World world;
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publisher.publish("a", std::string(100, 'x'), {.qos = Qos::kAtLeastOnce});
  publisher.publish("a", "fits", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  client.run();
  client.received.clear();
  client.auto_acknowledge = true;
  client.connect({.clean_start = false, .session_expiry_s = 1000, .packet_bytes_max = 60});
  client.run();
  EXPECT_THAT(payloads(client), ElementsAre("fits"));
  EXPECT_EQ(dropped(world, DropReason::kTooLarge), 1U);
  EXPECT_EQ(world.counters().ledger.in_flight, 0);
  expect_balanced(world);
}

TEST(MaximumPacketSize, IsExact) {
  // Fixed header 2, topic 2 + 1, properties 1, payload.
  for (const std::size_t payload : {std::size_t{24}, std::size_t{25}}) {
    World world;
    Client client = joined(world, "client", {.packet_bytes_max = 30});
    client.subscribe("a");
    client.run();
    Client publisher = joined(world, "publisher");
    publisher.publish("a", std::string(payload, 'x'));
    run_all({&publisher, &client});
    EXPECT_THAT(client.received, SizeIs(payload == 24 ? 1 : 0));
  }
}

// ---- the listener's own maximum, for clients that announce none ----

constexpr std::uint32_t kCap = 100;

World capped_world() { return World{{.listener = {.packet_bytes_max_out = kCap}}}; }

TEST(PacketCap, HoldsForClientsThatAnnounceNoMaximum) {
  World world = capped_world();
  Client v31 = subscriber_of(world, "v31", Qos::kExactlyOnce, {.version = Version::k31});
  Client v311 = subscriber_of(world, "v311", Qos::kExactlyOnce, {.version = Version::k311});
  Client silent = subscriber_of(world, "silent", Qos::kExactlyOnce);
  Client larger = subscriber_of(world, "larger", Qos::kExactlyOnce, {.packet_bytes_max = 500});
  Client publisher = joined(world, "publisher");
  for (const Qos qos : {Qos::kAtMostOnce, Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
    publisher.publish("a", std::string(kCap, 'x'), {.qos = qos});
    publisher.publish("a", "fits", {.qos = qos});
  }
  run_all({&publisher, &v31, &v311, &silent, &larger});
  for (const Client* capped : {&v31, &v311, &silent}) {
    EXPECT_THAT(payloads(*capped), ElementsAre("fits", "fits", "fits")) << capped->id();
  }
  EXPECT_THAT(larger.received, SizeIs(6)) << "what the client announces stands";
  EXPECT_EQ(dropped(world, DropReason::kTooLarge), 9U);
  expect_balanced(world);
}

TEST(PacketCap, IsExact) {
  // Fixed header 2, topic 2 + 1, packet id 2, payload.
  for (const std::size_t payload : {std::size_t{kCap} - 7, std::size_t{kCap} - 6}) {
    World world = capped_world();
    Client client = subscriber_of(world, "client", Qos::kAtLeastOnce, {.version = Version::k311});
    Client publisher = joined(world, "publisher");
    publisher.publish("a", std::string(payload, 'x'), {.qos = Qos::kAtLeastOnce});
    run_all({&publisher, &client});
    EXPECT_THAT(client.received, SizeIs(payload == kCap - 7 ? 1 : 0));
    expect_balanced(world);
  }
}

TEST(PacketCap, WhatWaitedForTheClientDoesNotBlockItsQueue) {
  World world = capped_world();
  Client client =
      subscriber_of(world, "client", Qos::kExactlyOnce, {.version = Version::k311, .clean_start = false});
  client.drop_link();
  Client publisher = joined(world, "publisher");
  for (const Qos qos : {Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
    publisher.publish("a", "before", {.qos = qos});
    publisher.publish("a", std::string(kCap, 'x'), {.qos = qos});
    publisher.publish("a", "behind", {.qos = qos});
  }
  publisher.run();
  client.connect({.version = Version::k311, .clean_start = false});
  client.run();
  EXPECT_THAT(payloads(client), ElementsAre("before", "behind", "before", "behind"));
  EXPECT_EQ(dropped(world, DropReason::kTooLarge), 2U);
  EXPECT_EQ(world.counters().ledger.in_flight, 0);
  expect_balanced(world);
}

TEST(PacketCap, RetainedMessagesAreHeldToItToo) {
  World world = capped_world();
  Client publisher = joined(world, "publisher");
  publisher.publish("b/1", std::string(kCap, 'x'), {.qos = Qos::kAtLeastOnce, .retain = true});
  publisher.publish("b/2", "fits", {.qos = Qos::kAtLeastOnce, .retain = true});
  publisher.run();
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce, {.version = Version::k311});
  EXPECT_THAT(payloads(client), ElementsAre("fits"));
  EXPECT_EQ(dropped(world, DropReason::kTooLarge), 1U);
  expect_balanced(world);
}

TEST(PacketCap, AGroupGoesOnBehindAMessageThatItsMemberCannotTake) {
  World world = capped_world();
  Client member = joined(world, "member", {.version = Version::k311});
  member.subscribe("$share/g/a", Qos::kExactlyOnce);
  member.run();
  Client publisher = joined(world, "publisher");
  for (const Qos qos : {Qos::kAtMostOnce, Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
    publisher.publish("a", std::string(kCap, 'x'), {.qos = qos});
    publisher.publish("a", "fits", {.qos = qos});
  }
  run_all({&publisher, &member});
  EXPECT_THAT(payloads(member), ElementsAre("fits", "fits", "fits"));
  EXPECT_EQ(dropped(world, DropReason::kTooLarge), 3U);
  expect_balanced(world);
}

// ---- topic aliases towards the client ----

TEST(AliasOut, IsGivenToATopicAndReused) {
  World world;
  Client client = joined(world, "client", {.topic_alias_maximum = 2});
  client.subscribe("b/#");
  client.run();
  Client publisher = joined(world, "publisher");
  const std::string topics[] = {"b/1", "b/2", "b/1", "b/3", "b/1", "b/2"};
  for (const std::string& topic : topics) publisher.publish(topic, topic);
  run_all({&publisher, &client});
  ASSERT_THAT(client.received, SizeIs(6));
  std::vector<bool> left_out;
  for (const Received& got : client.received) {
    EXPECT_EQ(got.topic, got.payload) << "the alias stands for the right topic";
    ASSERT_TRUE(got.topic_alias);
    EXPECT_GE(*got.topic_alias, 1);
    EXPECT_LE(*got.topic_alias, 2);
    left_out.push_back(got.topic_was_empty);
  }
  // b/3 takes the place of b/2, which was used least recently; b/2 then that of b/3.
  EXPECT_THAT(left_out, ElementsAre(false, false, true, false, true, false));
}

TEST(AliasOut, EndsWithTheConnection) {
  World world;
  Client client = joined(world, "client", {.session_expiry_s = 100, .topic_alias_maximum = 5});
  client.subscribe("b/#", Qos::kAtLeastOnce);
  client.run();
  Client publisher = joined(world, "publisher");
  publisher.publish("b/1", "1", {.qos = Qos::kAtLeastOnce});
  run_all({&publisher, &client});
  client.connect({.clean_start = false, .topic_alias_maximum = 5});
  client.run();
  publisher.publish("b/1", "2", {.qos = Qos::kAtLeastOnce});
  run_all({&publisher, &client});
  EXPECT_FALSE(client.received.back().topic_was_empty);
}

TEST(AliasOut, IsNotUsedUnlessTheClientAllowsIt) {
  World world;
  Client client = joined(world, "client");
  Client old = joined(world, "old", {.version = Version::k311});
  for (Client* c : {&client, &old}) {
    c->subscribe("b/#");
    c->run();
  }
  Client publisher = joined(world, "publisher");
  publisher.publish("b/1", "1");
  publisher.publish("b/1", "2");
  run_all({&publisher, &client, &old});
  EXPECT_THAT(client.received, Each(Field(&Received::topic_alias, std::optional<std::uint16_t>{})));
  EXPECT_THAT(payloads(old), ElementsAre("1", "2"));
}

// ---- rules about who may read ----

class NoSecrets : public OpenDoor {
 public:
  bool may_receive(const broker::ClientIdentity& who, std::string_view topic) override {
    return who.client_id != "stranger" || !topic.starts_with("b/secret");
  }
  [[nodiscard]] bool checks_receive() const override { return true; }
};

TEST(Denied, MessagesAreCountedAndNotDelivered) {
  NoSecrets rules;
  World world{{.authorizer = &rules}};
  Client publisher = joined(world, "publisher");
  publisher.publish("b/secret/old", "1", {.retain = true});
  publisher.run();
  Client stranger = subscriber_of(world, "stranger", Qos::kAtLeastOnce);
  Client friendly = subscriber_of(world, "friend", Qos::kAtLeastOnce);
  publisher.publish("b/secret/new", "2", {.qos = Qos::kAtLeastOnce});
  publisher.publish("b/open", "3", {.qos = Qos::kAtLeastOnce});
  run_all({&publisher, &stranger, &friendly});
  EXPECT_THAT(payloads(stranger), ElementsAre("3"));
  EXPECT_THAT(payloads(friendly), ElementsAre("1", "2", "3"));
  EXPECT_EQ(dropped(world, DropReason::kDenied), 2U);
  expect_balanced(world);
}

// Rules that a reload changes.
class Changing : public OpenDoor {
 public:
  bool may_receive(const broker::ClientIdentity&, std::string_view topic) override { return topic != denied; }
  [[nodiscard]] bool checks_receive() const override { return true; }
  std::string_view denied;
};

TEST(Denied, WhatWaitedForTheClientIsNotDeliveredAgainstTheRulesOfNow) {
  Changing rules;
  World world{{.authorizer = &rules}};
  Client publisher = joined(world, "publisher");
  Client client = subscriber_of(world, "client", Qos::kExactlyOnce);
  client.drop_link();
  publisher.publish("b/1", "1", {.qos = Qos::kAtLeastOnce});
  publisher.publish("b/2", "2", {.qos = Qos::kExactlyOnce});
  publisher.publish("b/3", "3", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  rules.denied = "b/2";
  client.connect({.clean_start = false, .session_expiry_s = 1000});
  run_all({&publisher, &client});
  EXPECT_THAT(payloads(client), ElementsAre("1", "3"));
  EXPECT_EQ(dropped(world, DropReason::kDenied), 1U);
  expect_balanced(world);
}

}  // namespace
}  // namespace nightjar::testing
