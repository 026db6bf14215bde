// How much a client may have unacknowledged or unread: Receive Maximum, the limits of the listener, the
// output (sections 3.3.4, 4.9).
#include "broker/connection.h"
#include "broker/session/delivery_scenario_test.h"

namespace nightjar::testing {
namespace {

using broker::DropReason;
using mqtt::PacketType;
using mqtt::Qos;
using mqtt::Version;
using ::testing::SizeIs;

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

TEST(Window, OneMessageAtATimeWaitsForThePubcompOfAnEarlierConnectionToo) {
  World world{{.listener = {.inflight_max = 1}}};
  const ConnectOptions returning{.version = Version::k311, .clean_start = false};
  Client slow = subscriber_of(world, "slow", Qos::kExactlyOnce, returning);
  slow.auto_acknowledge = false;
  Client publisher = joined(world, "publisher");
  publish_numbers(publisher, 1, 3, Qos::kExactlyOnce);
  slow.run();
  ASSERT_EQ(payloads(slow), numbers(1, 1));
  const mqtt::PacketId first = slow.received[0].packet_id;
  slow.acknowledge(PacketType::kPubrec, first);
  slow.run();
  slow.drop_link();
  slow.acks.clear();
  slow.connect(returning);
  slow.run();
  ASSERT_THAT(slow.acks, SizeIs(1)) << "PUBREL";
  EXPECT_EQ(payloads(slow), numbers(1, 1));
  slow.auto_acknowledge = true;
  slow.acknowledge(PacketType::kPubcomp, first);
  slow.run();
  EXPECT_EQ(payloads(slow), numbers(1, 3));
  expect_balanced(world);
}

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

}  // namespace
}  // namespace nightjar::testing
