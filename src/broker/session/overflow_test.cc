// A queue that is full: each policy, whom it costs what, and that the ledger accounts for every copy.
#include "broker/session/delivery_scenario_test.h"

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

}  // namespace
}  // namespace nightjar::testing
