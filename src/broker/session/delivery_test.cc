// From queues to the client: order, windows, output limits, overflow policies, age and expiry, redelivery
// (sections 3.3.2.3.3, 4.3, 4.4, 4.6, 4.9), and that the ledger accounts for every copy.
#include "broker/session/delivery.h"

#include "broker/connection.h"
#include "broker/worker_state.h"
#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using broker::DropReason;
using broker::OverflowPolicy;
using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> out;
  for (int i = from; i <= to; ++i) out.push_back(std::to_string(i));
  return out;
}

void publish_numbers(Client& publisher, int from, int to, Qos qos, const std::string& topic = "a") {
  for (int i = from; i <= to; ++i) publisher.publish(topic, std::to_string(i), {.qos = qos});
  publisher.run();
}

Client subscriber_of(World& world, const std::string& id, Qos qos, ConnectOptions options = {}) {
  if (options.version == Version::k5 && !options.session_expiry_s) options.session_expiry_s = 1000;
  Client client = joined(world, id, options);
  client.subscribe("a", qos);
  client.subscribe("b/#", qos);
  client.run();
  return client;
}

std::string expiry(std::uint32_t seconds) {
  ByteBuffer properties;
  mqtt::PropertyWriter{properties}.u32(mqtt::PropertyId::kMessageExpiryInterval, seconds);
  return std::string{as_text(properties.view())};
}

// ---- windows ----

TEST(Window, ReceiveMaximumHoldsAndEverythingArrivesInOrder) {
  World world;
  Client slow = subscriber_of(world, "slow", Qos::kExactlyOnce, {.receive_maximum = 3});
  slow.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  for (int i = 1; i <= 20; ++i) {
    publisher.publish("a", std::to_string(i), {.qos = i % 2 == 0 ? Qos::kAtLeastOnce : Qos::kExactlyOnce});
  }
  publisher.run();
  std::size_t acknowledged = 0;
  while (true) {
    slow.run();
    ASSERT_LE(slow.received.size() - acknowledged, 3U);
    if (acknowledged == slow.received.size()) break;
    const Received got = slow.received[acknowledged++];
    if (got.qos == Qos::kAtLeastOnce) {
      slow.acknowledge(PacketType::kPuback, got.packet_id);
      continue;
    }
    const std::size_t before = slow.received.size();
    slow.acknowledge(PacketType::kPubrec, got.packet_id);
    slow.run();
    EXPECT_EQ(slow.received.size(), before) << "PUBREC frees nothing [section 4.9]";
    slow.acknowledge(PacketType::kPubcomp, got.packet_id);
  }
  EXPECT_EQ(payloads(slow), numbers(1, 20));
  expect_balanced(world);
  EXPECT_EQ(world.counters().ledger.delivered, 20U);
}

TEST(Window, IsTheListenersWhenThatIsSmaller) {
  World world{{.listener = {.inflight_max = 2}}};
  Client slow = subscriber_of(world, "slow", Qos::kAtLeastOnce, {.version = Version::k311});
  slow.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 5, Qos::kAtLeastOnce);
  slow.run();
  EXPECT_THAT(slow.received, SizeIs(2));
}

TEST(Window, InBytesBounds311) {
  World world{{.listener = {.inflight_bytes_max = 2500}}};
  Client slow = subscriber_of(world, "slow", Qos::kAtLeastOnce, {.version = Version::k311});
  slow.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  for (int i = 0; i < 6; ++i) publisher.publish("a", std::string(1000, 'x'), {.qos = Qos::kAtLeastOnce});
  publisher.run();
  slow.run();
  EXPECT_THAT(slow.received, SizeIs(3)) << "until the limit is reached";
  slow.acknowledge(PacketType::kPuback, slow.received[0].packet_id);
  slow.run();
  EXPECT_THAT(slow.received, SizeIs(4));
  slow.auto_acknowledge = true;
  for (int i = 1; i < 4; ++i) {
    slow.acknowledge(PacketType::kPuback, slow.received[static_cast<std::size_t>(i)].packet_id);
  }
  slow.run();
  EXPECT_THAT(slow.received, SizeIs(6));
  expect_balanced(world);
}

TEST(Window, OneLargeMessageFitsWhateverTheByteLimit) {
  World world{{.listener = {.inflight_bytes_max = 10}}};
  Client slow = subscriber_of(world, "slow", Qos::kAtLeastOnce);
  Client publisher = joined(world, "publisher");
  publisher.publish("a", std::string(5000, 'x'), {.qos = Qos::kAtLeastOnce});
  publisher.publish("a", std::string(5000, 'y'), {.qos = Qos::kAtLeastOnce});
  run_all({&publisher, &slow});
  EXPECT_THAT(slow.received, SizeIs(2));
}

TEST(Window, HoldsOnResumeToo) {
  World world;
  Client slow = subscriber_of(world, "slow", Qos::kAtLeastOnce, {.receive_maximum = 10});
  slow.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 8, Qos::kAtLeastOnce);
  slow.run();
  EXPECT_THAT(slow.received, SizeIs(8));
  slow.received.clear();
  slow.connect({.clean_start = false, .session_expiry_s = 1000, .receive_maximum = 2});
  slow.run();
  EXPECT_EQ(payloads(slow), numbers(1, 2));
  publish_numbers(publisher, 9, 10, Qos::kAtLeastOnce);
  for (std::size_t i = 0; i < slow.received.size(); ++i) {
    slow.acknowledge(PacketType::kPuback, slow.received[i].packet_id);
    slow.run();
  }
  EXPECT_EQ(payloads(slow), numbers(1, 10));
  for (const Received& got : slow.received) EXPECT_EQ(got.dup, std::stoi(got.payload) <= 8) << got.payload;
  expect_balanced(world);
}

// ---- redelivery ----

TEST(Redelivery, PublishWithDupAndPubrelInOrder) {
  World world;
  Client client = subscriber_of(world, "client", Qos::kExactlyOnce);
  client.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 2, Qos::kExactlyOnce);
  publish_numbers(publisher, 3, 3, Qos::kAtLeastOnce);
  publish_numbers(publisher, 4, 4, Qos::kExactlyOnce);
  client.run();
  const std::vector<Received> first = client.received;
  client.acknowledge(PacketType::kPubrec, first[0].packet_id);  // 1 is released, 2 to 4 are not acknowledged
  client.run();
  EXPECT_EQ(world.counters().ledger.in_flight, 3);
  client.drop_link();
  client.log.clear();
  client.acks.clear();
  client.received.clear();
  client.connect({.clean_start = false, .session_expiry_s = 1000});
  client.run();
  EXPECT_THAT(client.log, ElementsAre(PacketType::kConnack, PacketType::kPubrel, PacketType::kPublish,
                                      PacketType::kPublish, PacketType::kPublish));
  EXPECT_EQ(client.acks[0].packet_id, first[0].packet_id);
  EXPECT_EQ(payloads(client), numbers(2, 4));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(client.received[i].dup);
    EXPECT_EQ(client.received[i].packet_id, first[i + 1].packet_id);
    EXPECT_EQ(client.received[i].qos, first[i + 1].qos);
  }
  client.acknowledge(PacketType::kPubcomp, first[0].packet_id);
  client.acknowledge(PacketType::kPuback, first[2].packet_id);
  client.auto_acknowledge = true;
  client.acknowledge(PacketType::kPubrec, first[1].packet_id);
  client.acknowledge(PacketType::kPubrec, first[3].packet_id);
  client.run();
  expect_balanced(world);
  EXPECT_EQ(world.counters().ledger.delivered, 4U);
  EXPECT_EQ(world.counters().ledger.in_flight, 0);
}

TEST(Redelivery, ComesBeforeWhatWaitedMeanwhile) {
  World world;
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 2, Qos::kAtLeastOnce);
  client.run();
  client.drop_link();
  publish_numbers(publisher, 3, 4, Qos::kAtLeastOnce);
  client.received.clear();
  client.auto_acknowledge = true;
  client.connect({.clean_start = false, .session_expiry_s = 1000});
  client.run();
  EXPECT_EQ(payloads(client), numbers(1, 4));
  EXPECT_FALSE(client.received[2].dup);
}

TEST(Redelivery, NothingIsRepeatedOnALiveConnection) {
  World world;
  Client client = subscriber_of(world, "client", Qos::kExactlyOnce);
  client.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 1, Qos::kExactlyOnce);
  client.run();
  world.advance(Duration::seconds(3600));
  client.run();
  EXPECT_THAT(client.received, SizeIs(1));  // [MQTT-4.4.0-1]
}

TEST(Acknowledgements, PubrecWithAnErrorEndsTheExchange) {
  World world;
  Client client = subscriber_of(world, "client", Qos::kExactlyOnce, {.receive_maximum = 1});
  client.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 2, Qos::kExactlyOnce);
  client.run();
  client.acknowledge(PacketType::kPubrec, client.received[0].packet_id, ReasonCode::kUnspecifiedError);
  client.run();
  EXPECT_THAT(client.acks, IsEmpty()) << "no PUBREL";
  EXPECT_EQ(payloads(client), numbers(1, 2));
  EXPECT_EQ(dropped(world, DropReason::kRefused), 1U);
  client.acknowledge(PacketType::kPubrec, client.received[1].packet_id);
  client.acknowledge(PacketType::kPubcomp, client.received[1].packet_id);
  expect_balanced(world);
  EXPECT_EQ(world.counters().ledger.delivered, 1U);
}

TEST(Acknowledgements, PubackWithAnErrorDiscards) {
  World world;
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 1, Qos::kAtLeastOnce);
  client.run();
  client.acknowledge(PacketType::kPuback, client.received[0].packet_id, ReasonCode::kUnspecifiedError);
  client.run();
  client.connect({.clean_start = false});
  client.run();
  EXPECT_THAT(client.received, SizeIs(1));
  EXPECT_EQ(dropped(world, DropReason::kRefused), 1U);
  expect_balanced(world);
}

TEST(Acknowledgements, OfUnknownIdsAreHarmless) {
  World world;
  Client client = subscriber_of(world, "client", Qos::kExactlyOnce);
  client.auto_acknowledge = false;
  client.acknowledge(PacketType::kPuback, {77});
  client.acknowledge(PacketType::kPubcomp, {77});
  client.acknowledge(PacketType::kPubrec, {77}, ReasonCode::kUnspecifiedError);
  client.acknowledge(PacketType::kPubrec, {78});
  client.acknowledge(PacketType::kPubrel, {79});
  client.run();
  EXPECT_FALSE(client.is_closed());
  ASSERT_THAT(client.acks, SizeIs(2));
  EXPECT_EQ(client.acks[0].type, PacketType::kPubrel);
  EXPECT_EQ(client.acks[0].code, ReasonCode::kPacketIdentifierNotFound);
  EXPECT_EQ(client.acks[1].type, PacketType::kPubcomp);
  EXPECT_EQ(client.acks[1].code, ReasonCode::kPacketIdentifierNotFound);
}

TEST(Acknowledgements, OfTheWrongKindAreProtocolErrors) {
  struct Wrong {
    Qos qos;
    PacketType type;
  };
  for (const Wrong wrong :
       {Wrong{Qos::kExactlyOnce, PacketType::kPuback}, Wrong{Qos::kAtLeastOnce, PacketType::kPubrec},
        Wrong{Qos::kExactlyOnce, PacketType::kPubcomp}}) {
    World world;
    Client client = subscriber_of(world, "client", wrong.qos);
    client.auto_acknowledge = false;
    Client publisher = joined(world, "publisher");
    publish_numbers(publisher, 1, 1, wrong.qos);
    client.run();
    client.acknowledge(wrong.type, client.received[0].packet_id);
    client.run();
    EXPECT_EQ(client.disconnect_code, ReasonCode::kProtocolError);
    EXPECT_EQ(world.counters().ledger.in_flight, 1) << "it stays with the session";
    expect_balanced(world);
  }
}

TEST(PacketIds, WrapAroundOneThatIsNeverAcknowledged) {
  World world{{.workers = 1}};
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 0, 0, Qos::kAtLeastOnce);
  client.run();
  const mqtt::PacketId stuck = client.received[0].packet_id;
  constexpr int kBatch = 500;
  int sent = 0;
  while (sent < 66'000) {
    for (int i = 0; i < kBatch; ++i) publisher.publish("a", "x", {.qos = Qos::kAtLeastOnce});
    sent += kBatch;
    publisher.run();
    client.received.clear();
    client.run();
    ASSERT_THAT(client.received, SizeIs(kBatch));
    for (const Received& got : client.received) {
      ASSERT_NE(got.packet_id, stuck);
      ASSERT_NE(got.packet_id.value, 0);
      client.acknowledge(PacketType::kPuback, got.packet_id);
    }
    client.run();
  }
  EXPECT_EQ(world.counters().ledger.in_flight, 1);
  client.acknowledge(PacketType::kPuback, stuck);
  expect_balanced(world);
  EXPECT_EQ(world.counters().ledger.in_flight, 0);
}

// ---- a client that does not read ----

TEST(Output, Qos0IsDroppedAndCountedAboveItsLimit) {
  World world{{.listener = {.output_bytes_max = 10'000}}};
  Client client = subscriber_of(world, "client", Qos::kExactlyOnce);
  client.wire().capacity = 5000;
  client.reads = false;
  Client publisher = joined(world, "publisher");
  for (int i = 0; i < 100; ++i) {
    publisher.publish("a", std::string(1000, 'x'));
    publisher.run();
  }
  const std::uint64_t lost = dropped(world, DropReason::kOutputFull);
  EXPECT_GE(lost, 85U);
  client.reads = true;
  for (int i = 0; i < 200; ++i) client.run();
  EXPECT_EQ(client.received.size() + lost, 100U);
  expect_balanced(world);
}

TEST(Output, Qos1WaitsInTheQueueAndArrives) {
  World world{{.listener = {.output_bytes_max = 10'000}}};
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.wire().capacity = 5000;
  client.reads = false;
  Client publisher = joined(world, "publisher");
  for (int i = 1; i <= 100; ++i) {
    publisher.publish("a", std::to_string(i) + std::string(1000, '.'), {.qos = Qos::kAtLeastOnce});
    publisher.run();
  }
  EXPECT_GE(world.counters().ledger.waiting, 85) << "and not in the connection's output";
  client.reads = true;
  for (int i = 0; i < 200; ++i) client.run();
  ASSERT_THAT(client.received, SizeIs(100));
  for (int i = 1; i <= 100; ++i) {
    EXPECT_TRUE(
        client.received[static_cast<std::size_t>(i - 1)].payload.starts_with(std::to_string(i) + "."));
  }
  expect_balanced(world);
}

TEST(Output, AnswersThatNobodyReadsEndTheConnection) {
  World world{{.listener = {.output_bytes_max = 10'000}}};
  Client client = joined(world, "client");
  client.wire().capacity = 100;
  client.reads = false;
  int turns = 0;
  while (!client.wire().broker_closed && ++turns < 1000) {
    for (int i = 0; i < 500; ++i) client.ping();
    world.settle();
  }
  EXPECT_LT(turns, 100) << "some 75 KB of PINGRESP";
  EXPECT_GT(turns, 10) << "not before the output is full";
  EXPECT_EQ(world.counters().connections, 0);
}

// ---- overflow ----

WorldOptions with_queue(OverflowPolicy policy) {
  return {.workers = 3, .listener = {.queue = {.messages_max = 3, .overflow = policy}}};
}

std::vector<std::string> after_return(Client& client) {
  client.received.clear();
  client.auto_acknowledge = true;
  client.connect({.clean_start = false, .session_expiry_s = 1000});
  client.run();
  return payloads(client);
}

TEST(Overflow, DropsTheNewOne) {
  World world{with_queue(OverflowPolicy::kDropNew)};
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 5, Qos::kAtLeastOnce);
  EXPECT_THAT(publisher.acks, Each(Field(&Client::Ack::code, ReasonCode::kSuccess)));
  EXPECT_EQ(after_return(client), numbers(1, 3));
  EXPECT_EQ(dropped(world, DropReason::kQueueFull), 2U);
  expect_balanced(world);
}

TEST(Overflow, DropsTheOldestOne) {
  World world{with_queue(OverflowPolicy::kDropOld)};
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 5, Qos::kAtLeastOnce);
  EXPECT_EQ(after_return(client), numbers(3, 5));
  EXPECT_EQ(dropped(world, DropReason::kQueueFull), 2U);
  expect_balanced(world);
}

TEST(Overflow, ByBytesDropsAsManyOldOnesAsItNeeds) {
  World world{{.listener = {.queue = {.bytes_max = 3000, .overflow = OverflowPolicy::kDropOld}}}};
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(world, "publisher");
  for (const char c : {'1', '2', '3'})
    publisher.publish("a", std::string(900, c), {.qos = Qos::kAtLeastOnce});
  publisher.publish("a", std::string(1500, '4'), {.qos = Qos::kAtLeastOnce});
  publisher.run();
  const auto got = after_return(client);
  ASSERT_THAT(got, SizeIs(2));
  EXPECT_EQ(got[0][0], '3');
  EXPECT_EQ(got[1][0], '4');
  expect_balanced(world);
}

TEST(Overflow, RejectsThePublisherWhereverItsReceiverLives) {
  for (std::uint16_t at = 0; at < 3; ++at) {
    for (const Qos qos : {Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
      World world{with_queue(OverflowPolicy::kReject)};
      Client client = subscriber_of(world, id_at(world, at), Qos::kExactlyOnce);
      client.drop_link();
      Client other =
          subscriber_of(world, id_at(world, static_cast<std::uint16_t>((at + 1) % 3)), Qos::kExactlyOnce);
      Client publisher = joined(world, id_at(world, 0, "p"));
      publish_numbers(publisher, 1, 5, qos);
      run_all({&publisher, &other});
      std::vector<ReasonCode> codes;
      for (const auto& ack : publisher.acks) {
        if (ack.type != PacketType::kPubcomp) codes.push_back(ack.code);
        if (ack.code == ReasonCode::kQuotaExceeded) {
          EXPECT_THAT(ack.reason, HasSubstr("overflow"));
        }
      }
      EXPECT_THAT(codes, ElementsAre(ReasonCode::kSuccess, ReasonCode::kSuccess, ReasonCode::kSuccess,
                                     ReasonCode::kQuotaExceeded, ReasonCode::kQuotaExceeded));
      EXPECT_EQ(payloads(other), numbers(1, 5)) << "others got theirs";
      EXPECT_EQ(after_return(client), numbers(1, 3));
      // The refused packet id is free again [MQTT-4.3.3-9].
      publisher.acks.clear();
      publisher.publish("a", "again", {.qos = qos, .packet_id = std::uint16_t{5}});
      run_all({&publisher, &client});
      EXPECT_THAT(payloads(client), Contains("again"));
      expect_balanced(world);
    }
  }
}

TEST(Overflow, RejectTellsA311PublisherNothingButCounts) {
  World world{with_queue(OverflowPolicy::kReject)};
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(world, "publisher", {.version = Version::k311});
  publish_numbers(publisher, 1, 5, Qos::kAtLeastOnce);
  EXPECT_THAT(publisher.acks, SizeIs(5));
  EXPECT_EQ(dropped(world, DropReason::kQueueFull), 2U);
}

TEST(Overflow, AcknowledgementsWaitForReportsAndLeaveInOrder) {
  World world{with_queue(OverflowPolicy::kReject)};
  Client far_away = subscriber_of(world, id_at(world, 1), Qos::kAtLeastOnce);
  Client publisher = joined(world, id_at(world, 0, "p"));
  publisher.publish("a", "1", {.qos = Qos::kAtLeastOnce});       // its report has to come from worker 1
  publisher.publish("nobody", "2", {.qos = Qos::kAtLeastOnce});  // nothing to wait for
  publisher.publish("a", "3", {.qos = Qos::kExactlyOnce});
  publisher.publish("nobody", "4", {.qos = Qos::kExactlyOnce});
  world.turn(0);
  publisher.poll();
  EXPECT_THAT(publisher.acks, IsEmpty());
  run_all({&publisher, &far_away});
  std::vector<std::uint16_t> ids;
  for (const auto& ack : publisher.acks) {
    if (ack.type != PacketType::kPubcomp) ids.push_back(ack.packet_id.value);
  }
  EXPECT_THAT(ids, ElementsAre(1, 2, 3, 4));
}

TEST(Overflow, DisconnectsTheSlowClient) {
  World world{with_queue(OverflowPolicy::kDisconnect)};
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce, {.receive_maximum = 1});
  client.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 7, Qos::kAtLeastOnce);  // one in flight, three wait, the fifth is too much
  client.run();
  EXPECT_EQ(client.disconnect_code, ReasonCode::kQuotaExceeded);
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(after_return(client), numbers(1, 4));
  EXPECT_EQ(dropped(world, DropReason::kQueueFull), 3U);
  expect_balanced(world);
}

TEST(Overflow, ConflatesToTheNewestValueOfATopic) {
  World world{{.listener = {.queue = {.messages_max = 3,
                                      .age_max = Duration::seconds(100),
                                      .overflow = OverflowPolicy::kConflate}}}};
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 1, Qos::kAtLeastOnce, "b/1");
  publish_numbers(publisher, 2, 2, Qos::kAtLeastOnce, "b/2");
  publish_numbers(publisher, 3, 3, Qos::kAtLeastOnce, "b/3");
  world.advance(Duration::seconds(60));
  publish_numbers(publisher, 4, 4, Qos::kAtLeastOnce, "b/2");  // replaces 2, and is as young as itself
  publish_numbers(publisher, 5, 5, Qos::kAtLeastOnce, "b/4");  // no such topic waits: the oldest goes
  EXPECT_EQ(dropped(world, DropReason::kConflated), 1U);
  EXPECT_EQ(dropped(world, DropReason::kQueueFull), 1U);
  world.advance(Duration::seconds(60));  // 3 is too old by now
  EXPECT_THAT(after_return(client), ElementsAre("4", "5"));
  EXPECT_EQ(dropped(world, DropReason::kExpired), 1U);
  expect_balanced(world);
}

TEST(Overflow, ConflatingKeepsTheLastValueOfATopicLast) {
  World world{{.listener = {.queue = {.messages_max = 2, .overflow = OverflowPolicy::kConflate}}}};
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 5, Qos::kAtLeastOnce, "b/1");
  EXPECT_THAT(after_return(client), ElementsAre("1", "5"));
  expect_balanced(world);
}

TEST(Overflow, ConflatingToLargerMessagesKeepsTheLimitOfBytes) {
  World world{{.listener = {.queue = {.bytes_max = 100, .overflow = OverflowPolicy::kConflate}}}};
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(world, "publisher");
  for (const char* topic : {"b/1", "b/2", "b/3"}) {
    publisher.publish(topic, std::string(30, 'x'), {.qos = Qos::kAtLeastOnce});
  }
  publisher.publish("b/3", std::string(60, 'y'), {.qos = Qos::kAtLeastOnce});
  publisher.run();
  EXPECT_THAT(after_return(client), ElementsAre(std::string(30, 'x'), std::string(60, 'y')));
  expect_balanced(world);
}

TEST(Overflow, AQueueOfNoMessagesKeepsNone) {
  for (const OverflowPolicy policy :
       {OverflowPolicy::kDropNew, OverflowPolicy::kDropOld, OverflowPolicy::kConflate}) {
    World world{{.listener = {.queue = {.messages_max = 0, .overflow = policy}}}};
    Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
    client.drop_link();
    Client publisher = joined(world, "publisher");
    publish_numbers(publisher, 1, 2, Qos::kAtLeastOnce);
    EXPECT_EQ(world.counters().ledger.waiting, 0);
    EXPECT_EQ(dropped(world, DropReason::kQueueFull), 2U);
    expect_balanced(world);
  }
}

// ---- age and expiry ----

TEST(Age, OfTheQueueDropsWhatWaitedTooLong) {
  World world{{.listener = {.queue = {.age_max = Duration::seconds(10)}}}};
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 1, Qos::kAtLeastOnce);
  world.advance(Duration::seconds(5));
  publish_numbers(publisher, 2, 2, Qos::kAtLeastOnce);
  world.advance(Duration::seconds(5));
  EXPECT_EQ(after_return(client), numbers(2, 2));
  EXPECT_EQ(dropped(world, DropReason::kExpired), 1U);
  expect_balanced(world);
}

TEST(Age, MakesRoomInAFullQueue) {
  for (const OverflowPolicy policy : {OverflowPolicy::kDropNew, OverflowPolicy::kReject}) {
    WorldOptions options = with_queue(policy);
    options.listener.queue.age_max = Duration::seconds(10);
    World world{options};
    Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
    client.drop_link();
    Client publisher = joined(world, "publisher");
    publish_numbers(publisher, 1, 3, Qos::kAtLeastOnce);
    world.advance(Duration::seconds(10));
    publish_numbers(publisher, 4, 5, Qos::kAtLeastOnce);
    EXPECT_EQ(after_return(client), numbers(4, 5));
    EXPECT_EQ(dropped(world, DropReason::kExpired), 3U);
    EXPECT_EQ(dropped(world, DropReason::kQueueFull), 0U);
    expect_balanced(world);
  }
}

TEST(Expiry, IsPatchedToWhatRemains) {
  World world;
  Client client = subscriber_of(world, "client", Qos::kAtLeastOnce);
  client.drop_link();
  Client publisher = joined(world, "publisher");
  publisher.publish("a", "long", {.qos = Qos::kAtLeastOnce, .properties = expiry(100)});
  publisher.publish("a", "short", {.qos = Qos::kAtLeastOnce, .properties = expiry(30)});
  publisher.run();
  world.advance(Duration::seconds(30));
  EXPECT_THAT(after_return(client), ElementsAre("long"));
  EXPECT_EQ(client.received[0].expiry_s, 70U);  // [MQTT-3.3.2-6]
  EXPECT_EQ(dropped(world, DropReason::kExpired), 1U);
  expect_balanced(world);
}

TEST(Expiry, NeverTakesBackWhatIsInFlight) {
  World world;
  Client client = subscriber_of(world, "client", Qos::kExactlyOnce);
  client.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publisher.publish("a", "sent", {.qos = Qos::kExactlyOnce, .properties = expiry(5)});
  publisher.run();
  client.run();
  EXPECT_EQ(client.received[0].expiry_s, 5U);
  client.drop_link();
  world.advance(Duration::seconds(60));
  EXPECT_THAT(after_return(client), ElementsAre("sent"));
  EXPECT_EQ(client.received[0].expiry_s, 0U);
  EXPECT_TRUE(client.received[0].dup);
  expect_balanced(world);
}

TEST(Expiry, MayPassOnTheWayToAnotherWorker) {
  World world{{.workers = 2}};
  Client client = subscriber_of(world, id_at(world, 1), Qos::kAtLeastOnce);
  Client publisher = joined(world, id_at(world, 0, "p"));
  publisher.publish("a", "late", {.qos = Qos::kAtLeastOnce, .properties = expiry(1)});
  publisher.publish("a", "in time", {.qos = Qos::kAtLeastOnce, .properties = expiry(9)});
  world.turn(0);
  world.jump(Duration::seconds(2));
  client.run();
  EXPECT_THAT(payloads(client), ElementsAre("in time"));
  EXPECT_EQ(client.received[0].expiry_s, 7U);
  expect_balanced(world);
}

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

}  // namespace
}  // namespace nightjar::testing
