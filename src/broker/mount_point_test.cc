// Clients of a listener with a mount point live in a part of the topics that they do not see.
#include "broker/mount_point.h"

#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using broker::mounted_filter;
using broker::unmounted_topic;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using ::testing::ElementsAre;

std::vector<std::string> topics(const Client& client) {
  std::vector<std::string> out;
  for (const Received& got : client.received) out.push_back(got.topic);
  return out;
}

TEST(MountPoint, StandsInFrontOfFiltersAndBehindShareNames) {
  EXPECT_EQ(mounted_filter("plant/", "a/+"), "plant/a/+");
  EXPECT_EQ(mounted_filter("plant/", "$share/group/a"), "$share/group/plant/a");
  EXPECT_EQ(mounted_filter("plant/", "$share/group"), "$share/group") << "no shared filter at all";
}

TEST(MountPoint, IsTakenOffTopicsBelowIt) {
  EXPECT_EQ(unmounted_topic("plant/", "plant/a"), "a");
  EXPECT_EQ(unmounted_topic("plant/", "plant/"), std::nullopt) << "no topic is left";
  EXPECT_EQ(unmounted_topic("plant/", "other/a"), std::nullopt);
}

struct MountPointTest : ::testing::Test {
  // One listener is all a World has: who looks on from outside is the route of a retained message.
  World world{{.workers = 2, .listener = {.mount_point = "plant/"}}};
};

TEST_F(MountPointTest, ClientsSeeTheirOwnNames) {
  Client watcher = joined(world, "watcher");
  watcher.subscribe("#", Qos::kAtLeastOnce);
  watcher.run();
  Client publisher = joined(world, "publisher", {.version = Version::k311});
  for (const Qos qos : {Qos::kAtMostOnce, Qos::kAtLeastOnce, Qos::kExactlyOnce}) {
    publisher.publish("a/b", "x", {.qos = qos});
  }
  run_all({&publisher, &watcher});
  EXPECT_THAT(topics(watcher), ElementsAre("a/b", "a/b", "a/b"));
  expect_balanced(world);
}

TEST_F(MountPointTest, TheBrokerKnowsTheWholeTopic) {
  Client publisher = joined(world, "publisher");
  publisher.publish("state", "on", {.retain = true});
  publisher.run();
  ByteBuffer value;
  const auto reader = world.node().retained_reader();
  EXPECT_TRUE(reader("plant/state", value));
  EXPECT_FALSE(reader("state", value));
  Client late = joined(world, "late");
  late.subscribe("+");
  late.run();
  EXPECT_THAT(topics(late), ElementsAre("state"));
}

TEST_F(MountPointTest, HoldsForWillsSharedSubscriptionsAndAliases) {
  Client watcher = joined(world, "watcher", {.topic_alias_maximum = 5});
  watcher.subscribe("$share/group/gone");
  watcher.run();
  for (const std::string id : {"one", "two"}) {
    Client dying = joined(world, id, {.will = WillOptions{.topic = "gone", .payload = id}});
    dying.drop_link();
    run_all({&watcher});
  }
  EXPECT_THAT(topics(watcher), ElementsAre("gone", "gone"));
  EXPECT_THAT(payloads(watcher), ElementsAre("one", "two"));
  watcher.unsubscribe("$share/group/gone");
  watcher.run();
  ASSERT_EQ(watcher.unsubacks.size(), 1U);
  EXPECT_THAT(watcher.unsubacks[0].codes, ElementsAre(ReasonCode::kSuccess));
}

TEST_F(MountPointTest, MessagesThatWaitForAClientKeepIt) {
  Client away = joined(world, "away", {.session_expiry_s = 100});
  away.subscribe("a", Qos::kAtLeastOnce);
  away.run();
  away.disconnect();
  away.run();
  Client publisher = joined(world, "publisher");
  publisher.publish("a", "1", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  away.connect({.clean_start = false, .session_expiry_s = 100});
  away.run();
  EXPECT_THAT(topics(away), ElementsAre("a"));
}

TEST_F(MountPointTest, ManyFiltersOutliveTheTurn) {
  Client watcher = joined(world, "watcher");
  std::vector<std::string> filters;
  for (int i = 0; i < 3000; ++i) filters.push_back("x/" + std::to_string(i) + "/y/z");
  std::vector<mqtt::SubscriptionRequest> requests;
  for (const std::string& filter : filters) requests.push_back({.filter = filter});
  watcher.subscribe(requests);
  watcher.run();
  Client publisher = joined(world, "publisher");
  publisher.publish("x/0/y/z", "first");
  publisher.publish("x/2999/y/z", "last");
  run_all({&publisher, &watcher});
  EXPECT_THAT(payloads(watcher), ElementsAre("first", "last"));
}

TEST_F(MountPointTest, ATopicThatBecomesTooLongIsRefused) {
  Client publisher = joined(world, "publisher", {.version = Version::k5});
  publisher.publish(std::string(65'535, 'x'), "");
  publisher.run();
  EXPECT_EQ(publisher.disconnect_code, ReasonCode::kTopicNameInvalid);
}

}  // namespace
}  // namespace nightjar::testing
