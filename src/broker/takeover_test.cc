// A second connection of the same client id, and connections on their way home (rules of sections 3.1.4 and
// 4.13; [MQTT-3.1.4-3]).
#include "broker/connection.h"
#include "broker/worker_state.h"
#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST(Takeover, ClosesTheOldConnectionOnTheSameWorkerAndFromAnother) {
  for (const std::uint16_t worker : {std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{2}}) {
    World world{{.workers = 3}};
    const std::string id = id_at(world, 0);
    Client old = joined(world, id, {.session_expiry_s = 100});
    old.subscribe("a", Qos::kAtLeastOnce);
    old.run();
    Client successor = joined(world, id, {.clean_start = false, .session_expiry_s = 100, .worker = worker});
    old.poll();
    EXPECT_EQ(old.disconnect_code, ReasonCode::kSessionTakenOver);
    EXPECT_TRUE(old.is_closed());
    EXPECT_TRUE(successor.session_present);
    Client publisher = joined(world, "publisher");
    publisher.publish("a", "1", {.qos = Qos::kAtLeastOnce});
    run_all({&publisher, &successor});
    EXPECT_THAT(payloads(successor), ElementsAre("1"));
    EXPECT_EQ(world.counters().takeovers, 1U);
    EXPECT_EQ(world.counters().clients_connected, 2);
    EXPECT_EQ(world.counters().connections, 2);
    EXPECT_EQ(
        world.counters().migrations,
        (worker != 0 ? 1U : 0U) + (world.node().owner_of(world.node().shard_of("publisher")).value != 0));
    expect_balanced(world);
  }
}

TEST(Takeover, Of311ClosesWithoutAWord) {
  World world;
  Client old = joined(world, "client", {.version = Version::k311});
  Client successor = joined(world, "client", {.version = Version::k311});
  old.poll();
  EXPECT_TRUE(old.is_closed());
  EXPECT_THAT(old.log, ElementsAre(mqtt::PacketType::kConnack));
  EXPECT_FALSE(successor.is_closed());
}

TEST(Takeover, UnacknowledgedMessagesComeAgainToTheSuccessor) {
  World world;
  Client old = joined(world, "client", {.session_expiry_s = 100});
  old.auto_acknowledge = false;
  old.subscribe("a", Qos::kExactlyOnce);
  old.run();
  Client publisher = joined(world, "publisher");
  publisher.publish("a", "1", {.qos = Qos::kAtLeastOnce});
  publisher.publish("a", "2", {.qos = Qos::kExactlyOnce});
  publisher.run();
  old.run();
  EXPECT_THAT(payloads(old), ElementsAre("1", "2"));
  Client successor = joined(world, "client", {.clean_start = false});
  EXPECT_THAT(payloads(successor), ElementsAre("1", "2"));
  for (const Received& got : successor.received) EXPECT_TRUE(got.dup);
  EXPECT_EQ(successor.received[0].packet_id, old.received[0].packet_id);
  expect_balanced(world);
}

// Two CONNECTs of one client id whose way home differs in length.
struct TwoRoads {
  World world{{.workers = 3}};
  std::string id = id_at(world, 2);
  Client older{world, id};
  Client newer{world, id};
};

void expect_older_evicts_nobody(mqtt::Version version) {
  TwoRoads roads;
  World& world = roads.world;
  roads.older.connect({.version = version,
                       .clean_start = true,
                       .will = WillOptions{.topic = "w", .payload = "older"},
                       .worker = 0});
  roads.newer.connect({.session_expiry_s = 100, .worker = 1});
  world.turn(0);  // the older one is accepted and in the mail
  world.turn(1);  // then the newer one
  // The newer one's mail is read first.
  std::swap(world.mail_between(0, 2), world.mail_between(1, 2));
  world.settle();
  roads.older.poll();
  roads.newer.poll();
  EXPECT_EQ(roads.newer.connack_code, ReasonCode::kSuccess);
  EXPECT_FALSE(roads.newer.is_closed());
  EXPECT_TRUE(roads.older.is_closed());
  if (version == mqtt::Version::k5) {
    EXPECT_EQ(roads.older.connack_code, ReasonCode::kUnspecifiedError) << "a refusal has its reason";
  } else {
    EXPECT_FALSE(roads.older.connack_code.has_value()) << "3.x has no return code that says it";
  }
  EXPECT_EQ(world.counters().takeovers, 0U);
  EXPECT_EQ(world.counters().wills_published, 0U) << "it armed only with a CONNACK";
  EXPECT_EQ(world.counters().sessions, 1);
}

TEST(Takeover, AnOlderConnectThatArrivesLaterEvictsNobody) {
  expect_older_evicts_nobody(mqtt::Version::k5);
  expect_older_evicts_nobody(mqtt::Version::k311);
}

TEST(Takeover, ANewerConnectThatArrivesLaterEvictsTheOlder) {
  TwoRoads roads;
  World& world = roads.world;
  roads.older.connect({.worker = 0});
  roads.newer.connect({.worker = 1});
  world.turn(0);
  world.turn(1);
  world.settle();
  roads.older.poll();
  roads.newer.poll();
  EXPECT_EQ(roads.older.disconnect_code, ReasonCode::kSessionTakenOver);
  EXPECT_FALSE(roads.newer.is_closed());
  EXPECT_EQ(world.counters().takeovers, 1U);
}

TEST(GoingHome, BytesBehindConnectMoveWithTheConnection) {
  World world{{.workers = 3}};
  Client watcher = joined(world, "watcher");
  watcher.subscribe("a/#", Qos::kAtLeastOnce);
  watcher.run();
  const std::string id = id_at(world, 2);
  Client client{world, id};
  client.connect({.worker = 0});
  client.subscribe("b", Qos::kAtMostOnce);
  for (int i = 0; i < 5; ++i) client.publish("a/b", std::to_string(i), {.qos = Qos::kAtLeastOnce});
  ByteBuffer half;
  mqtt::write_publish(half, Version::k5, {.topic = "a/half", .payload = as_bytes(std::string_view{"whole"})});
  client.send(half.view().first(6));
  client.run();
  client.send(half.view().subspan(6));
  client.ping();
  run_all({&client, &watcher});
  EXPECT_EQ(client.connack_code, ReasonCode::kSuccess);
  EXPECT_THAT(client.subacks, SizeIs(1));
  EXPECT_THAT(client.acks, SizeIs(5));
  EXPECT_EQ(client.pings, 1);
  EXPECT_THAT(payloads(watcher), ElementsAre("0", "1", "2", "3", "4", "whole"));
  EXPECT_EQ(world.counters().protocol_errors, 0U);
}

TEST(GoingHome, ByteByByteWorksToo) {
  World world{{.workers = 3}};
  const std::string id = id_at(world, 1);
  Client client{world, id};
  client.connect({.worker = 0});
  client.subscribe("b");
  client.ping();
  const ByteView all = client.wire().to_broker.view();
  const std::vector<std::byte> bytes{all.begin(), all.end()};
  client.wire().to_broker.clear();
  for (const std::byte b : bytes) {
    client.send({&b, 1});
    world.turn(0);
    world.turn(1);
  }
  client.run();
  EXPECT_THAT(client.subacks, SizeIs(1));
  EXPECT_EQ(client.pings, 1);
}

TEST(GoingHome, APeerThatHangsUpMeanwhileIsNoticedThere) {
  World world{{.workers = 2}};
  Client watcher = joined(world, "watcher");
  watcher.subscribe("w");
  watcher.run();
  const std::string id = id_at(world, 1);
  Client client{world, id};
  client.connect({.will = WillOptions{.topic = "w", .payload = "gone"}, .worker = 0});
  world.turn(0);
  client.drop_link();  // its connection lies in the mail
  EXPECT_EQ(world.counters().connections, 1);
  watcher.run();
  EXPECT_EQ(world.counters().connections, 1);
  EXPECT_EQ(world.counters().clients_connected, 1);
  EXPECT_EQ(world.counters().sessions, 1);
  EXPECT_THAT(payloads(watcher), ElementsAre("gone"));
}

TEST(GoingHome, NobodyBecomesAClientOfAWorkerThatDrains) {
  World world{{.workers = 2}};
  const std::string id = id_at(world, 1);
  Client client{world, id};
  client.connect({.worker = 0});
  world.turn(0);
  world.drain();
  client.run();
  EXPECT_EQ(client.connack_code, ReasonCode::kServerUnavailable);
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(world.counters().connections, 0);
  EXPECT_EQ(world.counters().sessions, 0);
}

}  // namespace
}  // namespace nightjar::testing
