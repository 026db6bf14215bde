// $SYS: Mosquitto's names, values that add up over the workers, and that they are retained and change only
// when their value does.
#include "broker/sys_topics.h"

#include <map>

#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using mqtt::Qos;
using ::testing::IsEmpty;

using Values = std::map<std::string, std::string>;

Values values_of(World& world) {
  Client reader = joined(world, "reader-of-sys");
  reader.subscribe("$SYS/#");
  reader.run();
  Values values;
  for (const Received& got : reader.received)
    values[got.topic.substr(std::string{"$SYS/broker/"}.size())] = got.payload;
  reader.disconnect();
  world.settle();
  return values;
}

TEST(SysTopics, AddUpOverTheWorkers) {
  World world{{.workers = 3, .node = {.sys_interval = Duration::seconds(10), .version = "1.2.3"}}};
  std::vector<Client> clients;
  for (std::uint16_t worker = 0; worker < 3; ++worker) {
    clients.push_back(joined(world, id_at(world, worker), {.session_expiry_s = 1000, .worker = worker}));
    clients.back().subscribe("a/" + std::to_string(worker), Qos::kAtLeastOnce);
    clients.back().subscribe("$share/team/b", Qos::kAtLeastOnce);
    clients.back().run();
  }
  clients[0].drop_link();
  clients[1].publish("a/0", "12345", {.qos = Qos::kAtLeastOnce});
  clients[1].publish("a/2", "123", {.qos = Qos::kAtLeastOnce});
  clients[1].publish("a/0", "dropped");
  clients[1].publish("kept", "1", {.retain = true});
  run_all({&clients[1], &clients[2]});
  const broker::Counters counters = world.counters();
  world.advance(Duration::seconds(10));
  const std::uint64_t retained = world.node().retained().count();
  Values values = values_of(world);
  EXPECT_EQ(values["version"], "nightjar version 1.2.3");
  EXPECT_EQ(values["uptime"], "10 seconds");
  EXPECT_EQ(values["clients/total"], "3");
  EXPECT_EQ(values["clients/connected"], "2");
  EXPECT_EQ(values["clients/active"], "2");
  EXPECT_EQ(values["clients/disconnected"], "1");
  EXPECT_EQ(values["clients/inactive"], "1");
  EXPECT_EQ(values["clients/maximum"], "2");
  EXPECT_EQ(values["clients/expired"], "0");
  EXPECT_EQ(values["subscriptions/count"], "6");
  EXPECT_EQ(values["shared_subscriptions/count"], "3");
  EXPECT_EQ(values["publish/messages/received"], "4");
  EXPECT_EQ(values["publish/messages/sent"], "1");
  EXPECT_EQ(values["publish/bytes/received"], "16");
  EXPECT_EQ(values["publish/bytes/sent"], "3");
  EXPECT_EQ(values["publish/messages/dropped"], "1");
  EXPECT_EQ(values["messages/received"], std::to_string(counters.packets_received));
  EXPECT_EQ(values["messages/sent"], std::to_string(counters.packets_sent));
  EXPECT_EQ(values["bytes/received"], std::to_string(counters.bytes_received));
  EXPECT_EQ(values["bytes/sent"], std::to_string(counters.bytes_sent));
  EXPECT_GT(counters.bytes_sent, 0U);
  EXPECT_GT(std::stoull(values["retained messages/count"]), 10U);
  EXPECT_LE(std::stoull(values["retained messages/count"]), retained);
  EXPECT_EQ(std::stoull(values["messages/stored"]), std::stoull(values["retained messages/count"]) + 1)
      << "and one waits";
  EXPECT_EQ(values["store/messages/count"], values["messages/stored"]);
  for (const char* name : {"messages/received", "messages/sent", "publish/received", "publish/sent",
                           "publish/dropped", "bytes/received", "bytes/sent", "connections"}) {
    for (const char* span : {"1min", "5min", "15min"}) {
      EXPECT_TRUE(values.contains(std::string{"load/"} + name + "/" + span)) << name << span;
    }
  }
}

TEST(SysTopics, ComeLiveWhenTheirValueChangesOnly) {
  World world{{.workers = 2, .node = {.sys_interval = Duration::seconds(10)}}};
  Client watcher = joined(world, "watcher");
  watcher.subscribe("$SYS/broker/clients/#");
  watcher.run();
  world.advance(Duration::seconds(10));
  watcher.run();
  watcher.received.clear();
  world.advance(Duration::seconds(30));
  watcher.run();
  EXPECT_THAT(watcher.received, IsEmpty());
  Client other = joined(world, "other");
  world.advance(Duration::seconds(10));
  watcher.run();
  Values values;
  for (const Received& got : watcher.received) values[got.topic] = got.payload;
  EXPECT_EQ(values["$SYS/broker/clients/connected"], "2");
  EXPECT_EQ(values.size(), 4U) << "total, connected, active, maximum";
}

TEST(SysTopics, AreNotMatchedByWildcardsInFrontAndCanBeTurnedOff) {
  World world{{.node = {.sys_interval = Duration::seconds(10)}}};
  Client watcher = joined(world, "watcher");
  watcher.subscribe("#");
  watcher.subscribe("+/broker/uptime");
  world.advance(Duration::seconds(20));
  watcher.run();
  EXPECT_THAT(watcher.received, IsEmpty());
  World silent;
  silent.advance(Duration::seconds(20));
  EXPECT_THAT(values_of(silent), IsEmpty());
}

TEST(LoadAverage, FollowsTheRateAtItsOwnPace) {
  broker::LoadAverage load;
  load.update(0, 0);
  std::uint64_t total = 0;
  for (int i = 0; i < 6; ++i) load.update(total += 100, 10);  // 600 a minute for a minute
  EXPECT_NEAR(load.per_minute[0], 379, 1);                    // 600 (1 - 1/e)
  EXPECT_NEAR(load.per_minute[1], 109, 1);
  EXPECT_NEAR(load.per_minute[2], 38.7, 1);
  for (int i = 0; i < 60; ++i) load.update(total += 100, 10);
  EXPECT_NEAR(load.per_minute[0], 600, 1);
  for (int i = 0; i < 6; ++i) load.update(total, 10);
  EXPECT_NEAR(load.per_minute[0], 221, 1);
}

TEST(SysTopics, AreNotCountedAsMessagesThatNobodyWanted) {
  World world{{.workers = 2, .node = {.sys_interval = Duration::seconds(10)}}};
  Client publisher = joined(world, "publisher");
  publisher.publish("a", "nobody wants this");
  publisher.run();
  world.advance(Duration::seconds(30));
  EXPECT_GT(world.node().retained().count(), 10U);
  EXPECT_EQ(world.counters().publish_unrouted, 1U);
}

TEST(Housekeeping, ExpiredRetainedMessagesLeaveAlsoWithoutSysTopics) {
  for (const Duration interval : {Duration{0}, Duration::seconds(10)}) {
    World world{{.node = {.sys_interval = interval}}};
    Client publisher = joined(world, "publisher");
    ByteBuffer properties;
    mqtt::PropertyWriter{properties}.u32(mqtt::PropertyId::kMessageExpiryInterval, 5);
    for (int i = 0; i < 50; ++i) {
      publisher.publish("a/" + std::to_string(i), "x",
                        {.retain = true, .properties = std::string{as_text(properties.view())}});
    }
    publisher.run();
    const std::uint64_t before = world.node().retained().count();
    EXPECT_GE(before, 50U);
    world.advance(Duration::seconds(60));
    EXPECT_FALSE(world.node().retained().find("a/1"));
    EXPECT_FALSE(world.node().retained().find("a/49"));
  }
}

}  // namespace
}  // namespace nightjar::testing
