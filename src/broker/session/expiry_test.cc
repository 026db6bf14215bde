// Messages that wait too long: the age limit of a queue and the Message Expiry Interval (section 3.3.2.3.3).
#include "broker/session/delivery_scenario_test.h"

namespace nightjar::testing {
namespace {

using broker::DropReason;
using broker::OverflowPolicy;
using mqtt::Qos;
using ::testing::ElementsAre;

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

}  // namespace
}  // namespace nightjar::testing
