// The orderly end: everybody is told, and nobody misses a will that the end itself causes.
#include "broker/drain.h"

#include <vector>

#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

TEST(Drain, TellsEverybodyAndTakesNobody) {
  World world{{.workers = 2}};
  Client v5 = joined(world, id_at(world, 0), {.session_expiry_s = 100});
  Client v3 = joined(world, id_at(world, 1), {.version = Version::k311, .clean_start = false});
  Client stranger{world, "stranger"};
  stranger.connect();
  stranger.wire().to_broker.clear();
  world.drain();
  for (Client* client : {&v5, &v3, &stranger}) client->poll();
  EXPECT_EQ(v5.disconnect_code, ReasonCode::kServerShuttingDown);
  EXPECT_THAT(v3.log, ElementsAre(PacketType::kConnack));
  for (const Client* client : {&v5, &v3, &stranger}) EXPECT_TRUE(client->is_closed());
  EXPECT_EQ(world.counters().connections, 0);
  EXPECT_EQ(world.counters().clients_connected, 0);
  EXPECT_EQ(world.counters().sessions, 2) << "they are kept";
  Client late = joined(world, "late");
  EXPECT_TRUE(late.is_closed());
  EXPECT_FALSE(late.connack_code.has_value());
}

TEST(Drain, SendsWills) {
  World world{{.workers = 2}};
  Client away = joined(world, id_at(world, 1), {.session_expiry_s = 1000});
  away.subscribe("w", Qos::kAtLeastOnce);
  away.run();
  away.drop_link();
  Client device = joined(world, id_at(world, 0, "d"),
                         {.will = WillOptions{.topic = "w", .payload = "gone", .qos = Qos::kAtLeastOnce}});
  world.drain();
  world.settle();
  EXPECT_EQ(world.counters().wills_published, 1U);
  EXPECT_EQ(world.counters().ledger.waiting, 1);
  expect_balanced(world);
}

TEST(Drain, EveryObserverHasEveryWillBeforeItIsToldGoodbye) {
  World world{{.workers = 3}};
  std::vector<Client> observers;
  std::vector<Client> devices;
  for (std::uint16_t worker = 0; worker < 3; ++worker) {
    // On each worker an observer that came before the device, and one that came after it.
    observers.push_back(joined(world, id_at(world, worker, "before")));
    const std::string device = id_at(world, worker, "device");
    devices.push_back(joined(world, device, {.will = WillOptions{.topic = "wills", .payload = device}}));
    observers.push_back(joined(world, id_at(world, worker, "after")));
  }
  for (Client& observer : observers) {
    observer.subscribe("wills");
    observer.run();
  }
  world.drain();
  for (Client& observer : observers) {
    observer.poll();
    EXPECT_THAT(payloads(observer), UnorderedElementsAre(devices[0].id(), devices[1].id(), devices[2].id()))
        << observer.id();
    EXPECT_EQ(observer.disconnect_code, ReasonCode::kServerShuttingDown);
    EXPECT_EQ(observer.log.back(), PacketType::kDisconnect);
  }
  EXPECT_EQ(world.counters().wills_published, 3U);
  expect_balanced(world);
}

TEST(Drain, AMemberOfASharedGroupHasTheWillBeforeItIsToldGoodbye) {
  // From the device's worker to the group's owner, from there to the member: two letters, all workers.
  for (int name = 0; name < 9; ++name) {
    World world{{.workers = 3}};
    Client member = joined(world, id_at(world, 1, "member"));
    member.subscribe("$share/team" + std::to_string(name) + "/wills", Qos::kAtLeastOnce);
    member.run();
    const ConnectOptions options{
        .will = WillOptions{.topic = "wills", .payload = "gone", .qos = Qos::kAtLeastOnce}};
    Client device = joined(world, id_at(world, 2, "device"), options);
    world.drain();
    member.poll();
    EXPECT_THAT(payloads(member), ElementsAre("gone")) << "group " << name;
    EXPECT_EQ(member.disconnect_code, ReasonCode::kServerShuttingDown);
  }
}

TEST(Drain, AWillBehindARetainedReplayIsWrittenBeforeTheGoodbye) {
  World world{{.workers = 1}};
  Client observer = joined(world, "observer");
  Client device = joined(world, "device", {.will = WillOptions{.topic = "state", .payload = "gone"}});
  device.publish("state", "here", {.retain = true});
  device.run();
  // The replay begins in the turn that the end begins in.
  observer.subscribe("state");
  world.mail_between(0, 0).push_back(broker::task_batch([](broker::Worker& worker) { worker.drain(); }));
  world.settle();
  observer.poll();
  EXPECT_THAT(payloads(observer), ElementsAre("here", "gone"));
  EXPECT_EQ(observer.disconnect_code, ReasonCode::kServerShuttingDown);
}

TEST(Drain, AWillThatIsOutIsNotPublishedAgainWhenItsClientVanishesMeanwhile) {
  World world{{.workers = 2}};
  Client observer = joined(world, id_at(world, 0, "observer"));
  observer.subscribe("wills");
  observer.run();
  Client device = joined(world, id_at(world, 1, "device"), {.will = WillOptions{.topic = "wills"}});
  world.run_on(1, [&world] { world.worker(1).drain(); });
  device.drop_link();
  world.turn(1);
  world.drain();
  observer.poll();
  EXPECT_THAT(observer.received, SizeIs(1));
}

TEST(Drain, ADelayedWillOfAKeptSessionStaysWithTheSession) {
  World world{{.workers = 1}};
  Client observer = joined(world, "observer");
  observer.subscribe("wills");
  observer.run();
  Client device = joined(world, "device",
                         {.session_expiry_s = 100, .will = WillOptions{.topic = "wills", .delay_s = 10}});
  world.drain();
  observer.poll();
  EXPECT_THAT(observer.received, IsEmpty());
}

TEST(Drain, NobodyIsLetInOnceItHasBegun) {
  World world{{.workers = 2}};
  const std::string id = id_at(world, 0);
  Client late{world, id};
  late.connect({.worker = 0});
  world.run_on(0, [&world] { world.worker(0).drain(); });
  late.run();
  EXPECT_EQ(late.connack_code, ReasonCode::kServerUnavailable);
  EXPECT_TRUE(late.is_closed());
}

}  // namespace
}  // namespace nightjar::testing
