// Opening, resuming, expiring and ending sessions (sections 3.1.2.4, 3.1.2.11.2, 3.2.2.1.1, 3.14.2.2.2, 4.1).
#include "broker/session/lifecycle.h"

#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using broker::DropReason;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint32_t kWeek = 7 * 24 * 3600;

// Connects without Clean Start; true if the broker still had the session.
bool resumes(World& world, const std::string& id, Version version = Version::k5) {
  Client probe = joined(world, id, {.version = version, .clean_start = false, .session_expiry_s = 1000});
  EXPECT_EQ(probe.connack_code, ReasonCode::kSuccess);
  const bool is_present = probe.session_present;
  probe.drop_link();
  world.settle();
  return is_present;
}

// More subscriptions than a worker takes out of its tables in one turn.
constexpr int kMany = 5000;

void subscribe_to_many(Client& client) {
  std::vector<std::string> filters;
  std::vector<mqtt::SubscriptionRequest> requests;
  for (int i = 0; i < kMany; ++i) filters.push_back("many/" + std::to_string(i));
  for (const std::string& filter : filters) requests.push_back({.filter = filter});
  client.subscribe(requests);
  client.run();
}

TEST(SessionEnd, ManySubscriptionsLeaveOverSeveralTurns) {
  World world{{.workers = 1}};
  Client other = joined(world, "other");
  Client client = joined(world, "client");
  subscribe_to_many(client);
  ASSERT_EQ(world.counters().subscriptions, kMany);
  client.drop_link();
  world.turn(0);
  EXPECT_EQ(world.counters().sessions, 1);
  EXPECT_GT(world.counters().subscriptions, 0);
  EXPECT_LT(world.counters().subscriptions, kMany);

  // Neither the session that ended nor its successor hears of what only the former asked for.
  Client successor{world, "client"};
  successor.connect();
  other.publish("many/1", "nobody");
  other.publish("many/4999", "nobody");
  world.turn(0);
  world.turn(0);
  EXPECT_GT(world.counters().subscriptions, 0);
  successor.subscribe("many/1");
  successor.run();
  EXPECT_THAT(successor.received, IsEmpty());
  other.publish("many/1", "successor");
  run_all({&other, &successor});
  EXPECT_THAT(payloads(successor), ElementsAre("successor"));
  EXPECT_EQ(world.counters().subscriptions, 1);
  expect_balanced(world);
}

TEST(SessionEnd, AGroupGivesNothingToAMemberThatEnded) {
  World world{{.workers = 1}};
  Client ended = joined(world, "ended");
  Client heir = joined(world, "heir");
  Client publisher = joined(world, "publisher");
  ended.subscribe("$share/team/job", Qos::kAtLeastOnce);
  ended.run();
  heir.subscribe("$share/team/job", Qos::kAtLeastOnce);
  heir.run();
  subscribe_to_many(ended);
  ended.drop_link();
  world.turn(0);
  for (int i = 0; i < 4; ++i) publisher.publish("job", std::to_string(i), {.qos = Qos::kAtLeastOnce});
  world.turn(0);
  EXPECT_GT(world.counters().subscriptions, 1);
  run_all({&publisher, &heir});
  EXPECT_THAT(payloads(heir), ElementsAre("0", "1", "2", "3"));
  EXPECT_EQ(world.counters().subscriptions, 1);
  expect_balanced(world);
}

TEST(SessionExpiry, ZeroEndsTheSessionWithTheConnection) {
  World world;
  Client client = joined(world, "client", {.clean_start = false});
  EXPECT_FALSE(client.session_present);
  client.subscribe("a");
  client.run();
  EXPECT_EQ(world.counters().subscriptions, 1);
  client.drop_link();
  world.settle();
  EXPECT_EQ(world.counters().sessions, 0);
  EXPECT_EQ(world.counters().subscriptions, 0);
  EXPECT_FALSE(resumes(world, "client"));
}

TEST(SessionExpiry, CountsFromTheEndOfTheConnection) {
  World world;
  Client client = joined(world, "client", {.session_expiry_s = 10});
  world.advance(Duration::seconds(60));
  client.drop_link();
  world.advance(Duration{9'999});
  EXPECT_EQ(world.counters().sessions, 1);
  world.advance(Duration{1});
  EXPECT_EQ(world.counters().sessions, 0);
  EXPECT_EQ(world.counters().sessions_expired, 1U);
}

TEST(SessionExpiry, StartsAnewWithEveryConnection) {
  World world;
  Client client = joined(world, "client", {.session_expiry_s = 10});
  client.drop_link();
  world.advance(Duration::seconds(9));
  client.connect({.clean_start = false, .session_expiry_s = 10});
  client.run();
  EXPECT_TRUE(client.session_present);
  world.advance(Duration::seconds(60));
  client.drop_link();
  world.advance(Duration::seconds(9));
  EXPECT_EQ(world.counters().sessions, 1);
  world.advance(Duration::seconds(1));
  EXPECT_EQ(world.counters().sessions, 0);
}

TEST(SessionExpiry, NeverEnds) {
  World world{{.listener = {.session_expiry_max_s = broker::kExpiryNever}}};
  Client client = joined(world, "client", {.session_expiry_s = broker::kExpiryNever});
  EXPECT_FALSE(client.session_expiry_told);
  client.drop_link();
  world.settle();
  world.jump(Duration::seconds(std::int64_t{1} << 33));
  EXPECT_TRUE(resumes(world, "client"));
}

TEST(SessionExpiry, IsCappedByTheListenerAndTheClientIsTold) {
  World world{{.listener = {.session_expiry_max_s = 30}}};
  Client client = joined(world, "client", {.session_expiry_s = 31});
  EXPECT_EQ(client.session_expiry_told, 30U);
  Client modest = joined(world, "modest", {.session_expiry_s = 30});
  EXPECT_FALSE(modest.session_expiry_told);
  client.drop_link();
  world.advance(Duration::seconds(30));
  EXPECT_FALSE(resumes(world, "client"));
}

TEST(SessionExpiry, CanBeChangedAtDisconnect) {
  World world;
  Client longer = joined(world, "longer", {.session_expiry_s = 10});
  longer.disconnect(ReasonCode::kSuccess, 100);
  Client shorter = joined(world, "shorter", {.session_expiry_s = 100});
  shorter.disconnect(ReasonCode::kSuccess, 10);
  Client ended = joined(world, "ended", {.session_expiry_s = 100});
  ended.disconnect(ReasonCode::kSuccess, 0);
  world.settle();
  EXPECT_EQ(world.counters().sessions, 2);
  world.advance(Duration::seconds(50));
  EXPECT_TRUE(resumes(world, "longer"));
  EXPECT_FALSE(resumes(world, "shorter"));
}

TEST(SessionExpiry, ChangedAtDisconnectIsCappedToo) {
  World world{{.listener = {.session_expiry_max_s = 30}}};
  Client client = joined(world, "client", {.session_expiry_s = 10});
  client.disconnect(ReasonCode::kSuccess, 1000);
  world.advance(Duration::seconds(29));
  EXPECT_EQ(world.counters().sessions, 1);
  world.advance(Duration::seconds(1));
  EXPECT_EQ(world.counters().sessions, 0);
}

TEST(SessionExpiry, RaisedFromZeroAtDisconnectIsAProtocolError) {
  World world;
  Client client = joined(world, "client");
  ByteBuffer properties;
  mqtt::PropertyWriter{properties}.u32(mqtt::PropertyId::kSessionExpiryInterval, 5);
  mqtt::write_disconnect(client.wire().to_broker, Version::k5, ReasonCode::kSuccess, properties.view());
  client.run();
  EXPECT_EQ(client.disconnect_code, ReasonCode::kProtocolError);
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(world.counters().sessions, 0);
}

TEST(CleanStart, DiscardsTheOldSession) {
  World world;
  Client client = joined(world, "client", {.session_expiry_s = 100});
  client.subscribe("a", Qos::kAtLeastOnce);
  client.run();
  client.drop_link();
  Client publisher = joined(world, "publisher");
  publisher.publish("a", "waits", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  EXPECT_EQ(world.counters().ledger.waiting, 1);
  client.connect({.clean_start = true, .session_expiry_s = 100});
  client.run();
  EXPECT_FALSE(client.session_present);
  publisher.publish("a", "later", {.qos = Qos::kAtLeastOnce});
  run_all({&publisher, &client});
  EXPECT_THAT(client.received, IsEmpty());
  EXPECT_EQ(dropped(world, DropReason::kSessionEnded), 1U);
  EXPECT_EQ(world.counters().subscriptions, 0);
  expect_balanced(world);
}

TEST(CleanSession, Of311KeepsOrEndsTheSession) {
  World world;
  Client keeps = joined(world, "keeps", {.version = Version::k311, .clean_start = false});
  EXPECT_FALSE(keeps.session_present);
  keeps.subscribe("a", Qos::kAtLeastOnce);
  keeps.run();
  keeps.disconnect();
  Client ends = joined(world, "ends", {.version = Version::k311, .clean_start = true});
  ends.disconnect();
  world.settle();
  EXPECT_EQ(world.counters().sessions, 1);
  Client publisher = joined(world, "publisher", {.version = Version::k311});
  publisher.publish("a", "waits", {.qos = Qos::kAtLeastOnce});
  publisher.run();
  keeps.connect({.version = Version::k311, .clean_start = false});
  keeps.run();
  EXPECT_TRUE(keeps.session_present);
  EXPECT_THAT(payloads(keeps), ElementsAre("waits"));
  keeps.connect({.version = Version::k311, .clean_start = true});
  keeps.run();
  EXPECT_FALSE(keeps.session_present);
  keeps.disconnect();
  world.settle();
  EXPECT_EQ(world.counters().sessions, 1) << "only the publisher's";
}

TEST(CleanSession, Of311EndsWithTheLongestExpiryOfTheListener) {
  World world;
  Client client = joined(world, "client", {.version = Version::k311, .clean_start = false});
  client.drop_link();
  world.settle();
  world.jump(Duration::seconds(kWeek - 1));
  world.settle();
  EXPECT_EQ(world.counters().sessions, 1);
  world.jump(Duration::seconds(1));
  world.settle();
  EXPECT_EQ(world.counters().sessions, 0);
}

TEST(CleanSession, Of31HasNoSessionPresentFlag) {
  World world;
  Client client = joined(world, "client", {.version = Version::k31, .clean_start = false});
  EXPECT_EQ(client.connack_code, ReasonCode::kSuccess);
  client.subscribe("a", Qos::kAtLeastOnce);
  client.run();
  client.connect({.version = Version::k31, .clean_start = false});
  client.run();
  EXPECT_FALSE(client.session_present);
  EXPECT_EQ(world.counters().subscriptions, 1) << "though the session is the old one";
}

TEST(Versions, MayChangeBetweenConnectionsOfOneSession) {
  World world;
  Client publisher = joined(world, "publisher");
  Client client = joined(world, "client", {.version = Version::k311, .clean_start = false});
  client.subscribe("a", Qos::kExactlyOnce);
  client.run();
  client.drop_link();
  int n = 0;
  for (const Version version : {Version::k5, Version::k311, Version::k5, Version::k31}) {
    ByteBuffer properties;
    mqtt::PropertyWriter{properties}.user("k", "v");
    publisher.publish("a", std::to_string(n++),
                      {.qos = Qos::kExactlyOnce, .properties = std::string{as_text(properties.view())}});
    publisher.run();
    client.connect({.version = version, .clean_start = false, .session_expiry_s = 100});
    client.run();
    EXPECT_EQ(client.connack_code, ReasonCode::kSuccess);
    EXPECT_EQ(client.session_present, version != Version::k31);
    EXPECT_EQ(client.received.back().user_properties.size(), version == Version::k5 ? 1U : 0U);
    client.drop_link();
    world.settle();
  }
  EXPECT_THAT(payloads(client), ElementsAre("0", "1", "2", "3"));
  expect_balanced(world);
}

TEST(Sessions, EndedWithMessagesInFlightCountThem) {
  World world;
  Client client = joined(world, "client", {.receive_maximum = 2});
  client.auto_acknowledge = false;
  client.subscribe("a", Qos::kExactlyOnce);
  client.run();
  Client publisher = joined(world, "publisher");
  for (int i = 0; i < 4; ++i) publisher.publish("a", "m", {.qos = Qos::kExactlyOnce});
  run_all({&publisher, &client});
  // One that the client has (PUBREC), one sent, two waiting.
  client.acknowledge(mqtt::PacketType::kPubrec, client.received[0].packet_id);
  client.run();
  EXPECT_EQ(world.counters().ledger.in_flight, 1);
  client.drop_link();
  expect_balanced(world);
  EXPECT_EQ(world.counters().ledger.delivered, 1U);
  EXPECT_EQ(dropped(world, DropReason::kSessionEnded), 3U);
}

TEST(Sessions, LeaveNoSubscriptionBehind) {
  World world{{.workers = 3}};
  for (int round = 0; round < 3; ++round) {
    Client client = joined(world, "client");
    for (int i = 0; i < 20; ++i) client.subscribe("f/" + std::to_string(i) + "/#");
    client.run();
    EXPECT_EQ(world.node().tree().filter_count(), 20U);
    client.unsubscribe("f/3/#");
    client.unsubscribe("f/19/#");
    client.unsubscribe("f/never/#");
    client.run();
    EXPECT_EQ(world.counters().subscriptions, 18);
    client.drop_link();
    world.settle();
    EXPECT_EQ(world.node().tree().filter_count(), 0U);
    EXPECT_EQ(world.counters().subscriptions, 0);
  }
}

}  // namespace
}  // namespace nightjar::testing
