// What a listener asks of clients beside their proof: version, client id, Keep Alive, room; and what it makes
// of their messages: payloads, QoS.
#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using ::testing::ElementsAre;
using ::testing::StartsWith;

std::optional<ReasonCode> connack_of(World& world, const std::string& client_id,
                                     const ConnectOptions& options = {}) {
  return joined(world, client_id, options).connack_code;
}

TEST(Admission, TakesTheVersionsOfTheListenerOnly) {
  World world{{.listener = {.accepts_v31 = false, .accepts_v5 = false}}};
  EXPECT_EQ(connack_of(world, "a", {.version = Version::k311}), ReasonCode::kSuccess);
  EXPECT_EQ(connack_of(world, "b", {.version = Version::k5}), ReasonCode::kUnsupportedProtocolVersion);
  EXPECT_NE(connack_of(world, "c", {.version = Version::k31}), ReasonCode::kSuccess);
}

TEST(Admission, TakesClientIdsThatBeginAsTheyHaveTo) {
  World world{{.listener = {.client_id_prefix = "plant-"}}};
  EXPECT_EQ(connack_of(world, "plant-1"), ReasonCode::kSuccess);
  EXPECT_EQ(connack_of(world, "plant"), ReasonCode::kNotAuthorized);
}

TEST(Admission, AssignsClientIdsWithTheListenersPrefix) {
  World world{{.listener = {.auto_id_prefix = "guest-"}}};
  EXPECT_THAT(joined(world, "").assigned_client_id, StartsWith("guest-"));
}

TEST(Admission, AssignsNoClientIdsWhereThatIsOff) {
  World world{{.listener = {.allow_empty_client_id = false}}};
  EXPECT_EQ(connack_of(world, ""), ReasonCode::kClientIdentifierNotValid);
  EXPECT_EQ(connack_of(world, "named"), ReasonCode::kSuccess);
}

TEST(Admission, CallsAClientByItsUserName) {
  World world{{.listener = {.client_id_is_user_name = true}}};
  Client first = joined(world, "one", {.user_name = "pump", .password = "x"});
  Client second = joined(world, "two", {.user_name = "pump", .password = "x"});
  first.run();
  EXPECT_EQ(second.connack_code, ReasonCode::kSuccess);
  EXPECT_EQ(first.disconnect_code, ReasonCode::kSessionTakenOver) << "the same user is the same client";
  EXPECT_EQ(connack_of(world, "three"), ReasonCode::kNotAuthorized) << "without a user name";
  EXPECT_EQ(joined(world, "", {.user_name = "fan"}).assigned_client_id, "fan");
}

TEST(Admission, RefusesALongerKeepAliveOfClientsThatCannotBeTold) {
  World world{{.listener = {.refuses_longer_keep_alive = true, .keep_alive_max_s = 60}}};
  const auto code = [&](Version version, std::uint16_t keep_alive_s) {
    return connack_of(world, "c", {.version = version, .keep_alive_s = keep_alive_s});
  };
  EXPECT_EQ(code(Version::k311, 60), ReasonCode::kSuccess);
  EXPECT_NE(code(Version::k311, 61), ReasonCode::kSuccess);
  EXPECT_NE(code(Version::k311, 0), ReasonCode::kSuccess) << "0 is for ever";
  EXPECT_EQ(code(Version::k5, 61), ReasonCode::kSuccess) << "5.0 is told";
}

TEST(Admission, CountsTheConnectionsOfAListener) {
  World world{{.listener = {.connections_max = 2}}};
  Client first = joined(world, "1");
  Client second = joined(world, "2");
  Client third = joined(world, "3");
  EXPECT_EQ(second.connack_code, ReasonCode::kSuccess);
  EXPECT_FALSE(third.connack_code.has_value());
  EXPECT_TRUE(third.is_closed());
  first.disconnect();
  first.run();
  EXPECT_EQ(connack_of(world, "4"), ReasonCode::kSuccess) << "there is room again";
}

TEST(Admission, CountsTheConnectionsOfTheNode) {
  World world{{.node = {.connections_max = 1, .sys_interval = Duration{0}}}};
  Client first = joined(world, "1");
  EXPECT_EQ(first.connack_code, ReasonCode::kSuccess);
  EXPECT_FALSE(connack_of(world, "2").has_value());
}

TEST(Admission, CountsSessionsAlsoOfAbsentClients) {
  World world{{.node = {.sessions_max = 1, .sys_interval = Duration{0}}}};
  Client kept = joined(world, "kept", {.session_expiry_s = 100});
  kept.disconnect();
  kept.run();
  EXPECT_EQ(connack_of(world, "other"), ReasonCode::kQuotaExceeded);
  EXPECT_EQ(connack_of(world, "kept", {.clean_start = false}), ReasonCode::kSuccess) << "it has one";
}

TEST(Admission, ALargePayloadIsAcknowledgedAndDropped) {
  World world{{.listener = {.payload_bytes_max = 4}}};
  Client watcher = joined(world, "watcher");
  watcher.subscribe("#");
  watcher.run();
  Client v5 = joined(world, "five");
  Client v3 = joined(world, "three", {.version = Version::k311});
  for (Client* publisher : {&v5, &v3}) {
    publisher->publish("a", "12345", {.qos = Qos::kAtLeastOnce});
    publisher->publish("a", "12345");
    publisher->publish("a", "1234");
    run_all({publisher, &watcher});
    EXPECT_FALSE(publisher->is_closed());
    ASSERT_EQ(publisher->acks.size(), 1U);
  }
  EXPECT_EQ(v5.acks[0].code, ReasonCode::kImplementationSpecificError);
  EXPECT_EQ(v3.acks[0].code, ReasonCode::kSuccess);
  EXPECT_THAT(payloads(watcher), ElementsAre("1234", "1234"));
  expect_balanced(world);
}

TEST(Admission, AMessageGetsTheQosOfTheSubscriptionWhereThatIsOn) {
  World world{{.listener = {.upgrades_qos = true}}};
  Client watcher = joined(world, "watcher");
  Client publisher = joined(world, "publisher");
  publisher.publish("kept", "r", {.retain = true});
  publisher.run();
  watcher.subscribe("#", Qos::kAtLeastOnce);
  watcher.run();
  publisher.publish("live", "l");
  run_all({&publisher, &watcher});
  ASSERT_EQ(watcher.received.size(), 2U);
  for (const Received& got : watcher.received) EXPECT_EQ(got.qos, Qos::kAtLeastOnce) << got.topic;
  expect_balanced(world);
}

}  // namespace
}  // namespace nightjar::testing
