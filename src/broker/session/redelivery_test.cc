// What is sent again and what is not, and what an acknowledgement ends (sections 4.3, 4.4).
#include "broker/connection.h"
#include "broker/session/delivery_scenario_test.h"

namespace nightjar::testing {
namespace {

using broker::DropReason;
using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

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

}  // namespace
}  // namespace nightjar::testing
