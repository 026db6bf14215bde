// CONNECT: what is told in CONNACK, what is refused and how in each version, time and memory limits for
// strangers, keep alive, and the orderly end (sections 3.1, 3.2, 3.12, 4.13).
#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using ::testing::IsEmpty;

// The CONNACK as it lies on the wire.
mqtt::Connack connack_on(Client& client) {
  client.reads = false;
  client.run();
  const auto frame = mqtt::next_frame(client.wire().to_client.view(), mqtt::kRemainingLengthMax, Version::k5);
  EXPECT_EQ(frame.state, mqtt::FrameState::kComplete);
  return mqtt::read_connack(frame.frame, Version::k5).value();
}

TEST(Connack, TellsTheLimitsOfTheListener) {
  World world{{.listener = {.packet_bytes_max = 5000,
                            .receive_maximum = 7,
                            .topic_alias_maximum = 3,
                            .keep_alive_max_s = 60,
                            .session_expiry_max_s = 100,
                            .maximum_qos = Qos::kAtLeastOnce,
                            .retain_available = false,
                            .wildcard_subscription_available = false,
                            .subscription_identifier_available = false,
                            .shared_subscription_available = false}}};
  Client client{world, ""};
  client.connect({.keep_alive_s = 100, .session_expiry_s = 1000});
  const mqtt::Connack connack = connack_on(client);
  const mqtt::Properties& p = connack.properties;
  EXPECT_EQ(p.session_expiry_interval_s, 100U);
  EXPECT_EQ(p.receive_maximum, 7);
  EXPECT_EQ(p.maximum_packet_size, 5000U);
  EXPECT_EQ(p.topic_alias_maximum, 3);
  EXPECT_EQ(p.server_keep_alive, 60);
  ASSERT_TRUE(p.has(PropertyId::kMaximumQos));
  EXPECT_EQ(static_cast<int>(p.maximum_qos), 1);
  for (const PropertyId id :
       {PropertyId::kRetainAvailable, PropertyId::kWildcardSubscriptionAvailable,
        PropertyId::kSubscriptionIdentifierAvailable, PropertyId::kSharedSubscriptionAvailable}) {
    EXPECT_TRUE(p.has(id));
  }
  EXPECT_TRUE(p.has(PropertyId::kAssignedClientIdentifier));
}

TEST(Connack, SaysNothingThatIsTheDefault) {
  World world{{.listener = {.receive_maximum = 65535, .topic_alias_maximum = 0}}};
  Client client{world, "client"};
  client.connect({.keep_alive_s = 100, .session_expiry_s = 1000});
  const mqtt::Connack connack = connack_on(client);
  for (const PropertyId id :
       {PropertyId::kSessionExpiryInterval, PropertyId::kReceiveMaximum, PropertyId::kMaximumQos,
        PropertyId::kRetainAvailable, PropertyId::kAssignedClientIdentifier, PropertyId::kTopicAliasMaximum,
        PropertyId::kWildcardSubscriptionAvailable, PropertyId::kServerKeepAlive}) {
    EXPECT_FALSE(connack.properties.has(id));
  }
}

TEST(ClientId, IsAssignedWhenEmpty) {
  World world{{.workers = 3}};
  Client first = joined(world, "");
  Client second = joined(world, "");
  EXPECT_EQ(first.connack_code, ReasonCode::kSuccess);
  EXPECT_FALSE(first.assigned_client_id.empty());
  EXPECT_NE(first.assigned_client_id, second.assigned_client_id);
  Client old = joined(world, "", {.version = Version::k311, .clean_start = true});
  EXPECT_EQ(old.connack_code, ReasonCode::kSuccess);
  EXPECT_EQ(world.counters().sessions, 3);
}

TEST(ClientId, EmptyIsRefusedWhereTheVersionWantsOne) {
  World world;
  Client keeps = joined(world, "", {.version = Version::k311, .clean_start = false});
  EXPECT_EQ(static_cast<int>(*keeps.connack_code), 2);  // [MQTT-3.1.3-8]
  Client oldest = joined(world, "", {.version = Version::k31});
  EXPECT_TRUE(oldest.is_closed());
  EXPECT_EQ(world.counters().sessions, 0);
}

TEST(WillRefused, AgainstThePolicy) {
  struct Refusal {
    broker::ListenerPolicy listener;
    WillOptions will;
    ReasonCode code;
  };
  const std::vector<Refusal> refusals = {
      {{.maximum_qos = Qos::kAtMostOnce},
       {.topic = "w", .qos = Qos::kAtLeastOnce},
       ReasonCode::kQosNotSupported},
      {{.retain_available = false}, {.topic = "w", .retain = true}, ReasonCode::kRetainNotSupported},
      {{.payload_bytes_max = 2}, {.topic = "w", .payload = "bye"}, ReasonCode::kPacketTooLarge},
      {{.topic_levels_max = 2}, {.topic = "1/2/3"}, ReasonCode::kTopicNameInvalid},
      {{}, {.topic = "$SYS/broker/uptime"}, ReasonCode::kTopicNameInvalid}};
  for (const Refusal& refusal : refusals) {
    World world{{.listener = refusal.listener}};
    Client client = joined(world, "client", {.will = refusal.will});
    EXPECT_EQ(client.connack_code, refusal.code);
    EXPECT_TRUE(client.is_closed());
    Client old = joined(world, "old", {.version = Version::k311, .will = refusal.will});
    EXPECT_THAT(old.log, IsEmpty()) << "no return code of 3.1.1 says it [MQTT-3.2.2-6]";
    EXPECT_TRUE(old.is_closed());
  }
}

TEST(Strangers, HaveALimitedTimeForConnect) {
  World world{{.listener = {.connect_timeout = Duration::seconds(5)}}};
  Client silent{world, "silent"};
  silent.connect();
  ByteBuffer& bytes = silent.wire().to_broker;
  const std::vector<std::byte> whole{bytes.view().begin(), bytes.view().end()};
  bytes.clear();
  silent.send(ByteView{whole}.first(5));
  world.advance(Duration{4'999});
  EXPECT_EQ(world.counters().connections, 1);
  EXPECT_EQ(world.counters().stranger_bytes, 5);
  world.advance(Duration{1});
  silent.poll();
  EXPECT_TRUE(silent.is_closed());
  EXPECT_THAT(silent.log, IsEmpty());
  EXPECT_EQ(world.counters().connections, 0);
  EXPECT_EQ(world.counters().stranger_bytes, 0);
}

TEST(Strangers, ConnectInTimeIsLeftAlone) {
  World world;
  Client client = joined(world, "client");
  world.advance(Duration::seconds(3600));
  client.ping();
  client.run();
  EXPECT_EQ(client.pings, 1);
}

TEST(Strangers, MaySendConnectOnly) {
  for (const std::string_view bytes :
       {std::string_view{"\xc0\x00", 2}, std::string_view{"\xe0\x00", 2},
        std::string_view{"GET / HTTP/1.1\r\n\r\n"}, std::string_view{"\0\0", 2}}) {
    World world;
    Client client{world, "client"};
    client.connect();
    client.wire().to_broker.clear();
    client.send(as_bytes(bytes));
    client.run();
    EXPECT_TRUE(client.is_closed());
    EXPECT_THAT(client.log, IsEmpty());
    EXPECT_EQ(world.counters().connections, 0);
  }
}

TEST(Strangers, ConnectHasASizeLimit) {
  World world{{.listener = {.connect_bytes_max = 100}}};
  Client client = joined(world, std::string(200, 'x'));
  EXPECT_TRUE(client.is_closed());
  EXPECT_THAT(client.log, IsEmpty());
}

TEST(Strangers, ShareABudget) {
  World world{{.workers = 2, .node = {.strangers_bytes_max = 1000, .sys_interval = Duration{0}}}};
  std::vector<Client> strangers;
  for (std::uint16_t i = 0; i < 6; ++i) {
    strangers.emplace_back(world, "stranger");
    Client& stranger = strangers.back();
    stranger.connect({.worker = static_cast<std::uint16_t>(i % 2)});
    stranger.wire().to_broker.clear();
    stranger.send(as_bytes(std::string_view{"\x10\xff\x7f", 3}));  // 16 383 bytes are announced
    stranger.send(as_bytes(std::string(297, 'x')));
    world.settle();
  }
  EXPECT_EQ(world.counters().stranger_bytes, 900);
  EXPECT_EQ(world.counters().connections, 3);
  Client honest = joined(world, "honest");
  EXPECT_EQ(honest.connack_code, ReasonCode::kSuccess) << "a whole CONNECT needs none of it";
}

TEST(Unreadable, ConnectIsRefusedInTheWordsOfItsVersion) {
  struct Bad {
    std::string_view bytes;
    std::string_view answer;  // the first four bytes on the wire
  };
  const Bad bad[] = {// Level 6: CONNACK 0x84 in the form of 5.0.
                     {{"\x10\x0d\x00\x04MQTT\x06\x02\x00\x00\x00\x00\x00", 15}, {"\x20", 1}},
                     // Level 2: return code 1.
                     {{"\x10\x0c\x00\x04MQTT\x02\x02\x00\x00\x00\x00", 14}, {"\x20\x02\x00\x01", 4}},
                     // 3.1.1 with the reserved flag set: closed without a word [MQTT-3.1.2-3].
                     {{"\x10\x0c\x00\x04MQTT\x04\x03\x00\x00\x00\x00", 14}, {}},
                     // 5.0 with the reserved flag set: CONNACK 0x81.
                     {{"\x10\x0d\x00\x04MQTT\x05\x03\x00\x00\x00\x00\x00", 15}, {"\x20", 1}}};
  for (const Bad& row : bad) {
    World world;
    Client client{world, "client"};
    client.connect();
    client.wire().to_broker.clear();
    client.send(as_bytes(row.bytes));
    world.settle();
    const std::string_view answer = as_text(client.wire().to_client.view());
    EXPECT_EQ(answer.substr(0, row.answer.size()), row.answer);
    EXPECT_EQ(answer.empty(), row.answer.empty());
    EXPECT_TRUE(client.wire().broker_closed);
    EXPECT_EQ(world.counters().protocol_errors, 1U);
  }
}

TEST(KeepAlive, BytesOfAnUnfinishedPacketAreNoSignOfLife) {
  World world;
  Client client{world, "client"};
  client.connect({.keep_alive_s = 1});
  client.run();
  client.send(as_bytes(std::string_view{"\x30\x7f", 2}));
  for (int second = 0; second < 3 && !client.is_closed(); ++second) {
    client.send(as_bytes("x"));
    world.advance(Duration::seconds(1));
    client.poll();
  }
  EXPECT_EQ(client.disconnect_code, ReasonCode::kKeepAliveTimeout);
}

TEST(KeepAlive, OneAndAHalfTimesTheInterval) {
  World world;
  Client client = joined(world, "client", {.keep_alive_s = 10});
  for (int i = 0; i < 5; ++i) {
    world.advance(Duration{14'999});
    client.ping();
    client.run();
  }
  EXPECT_EQ(client.pings, 5);
  world.advance(Duration{14'999});
  EXPECT_EQ(world.counters().connections, 1);
  world.advance(Duration{1});
  client.run();
  EXPECT_EQ(client.disconnect_code, ReasonCode::kKeepAliveTimeout);
  EXPECT_EQ(world.counters().connections, 0);
}

TEST(KeepAlive, ZeroTurnsItOff) {
  World world;
  Client client = joined(world, "client", {.keep_alive_s = 0});
  world.advance(Duration::seconds(1'000'000));
  client.ping();
  client.run();
  EXPECT_EQ(client.pings, 1);
}

TEST(KeepAlive, TheListenersMaximumHoldsFor5Only) {
  World world{{.listener = {.keep_alive_max_s = 20}}};
  Client endless = joined(world, "endless", {.keep_alive_s = 0});
  Client modest = joined(world, "modest", {.keep_alive_s = 10});
  Client old = joined(world, "old", {.version = Version::k311, .keep_alive_s = 0});
  world.advance(Duration::seconds(15));
  EXPECT_EQ(world.counters().connections, 2) << "the modest one keeps its own";
  world.advance(Duration::seconds(15));
  endless.run();
  EXPECT_EQ(endless.disconnect_code, ReasonCode::kKeepAliveTimeout);
  world.advance(Duration::seconds(3600));
  EXPECT_EQ(world.counters().connections, 1) << "3.1.1 can't be told of another";
}

TEST(MaximumPacketSize, LeavesNoRoomForConnack) {
  World world;
  Client watcher = joined(world, "watcher");
  watcher.subscribe("w");
  watcher.run();
  Client client = joined(world, "client", {.packet_bytes_max = 8, .will = WillOptions{.topic = "w"}});
  EXPECT_TRUE(client.is_closed());
  EXPECT_THAT(client.log, IsEmpty());  // [MQTT-3.1.2-24]
  watcher.run();
  EXPECT_THAT(watcher.received, IsEmpty()) << "the will arms with CONNACK";
  EXPECT_EQ(world.counters().sessions, 1);
}

TEST(ProblemInformation, IsLeftOutWhereItDoesNotFit) {
  World world;
  for (const std::uint32_t room : {20U, 200U}) {
    Client client = joined(world, "client", {.packet_bytes_max = room});
    client.send(as_bytes(std::string_view{"\0\0", 2}));
    world.settle();
    const std::size_t size = client.wire().to_client.size();
    EXPECT_LE(size, room);
    EXPECT_EQ(size > 20, room == 200) << "with a Reason String";
    client.run();
    EXPECT_EQ(client.disconnect_code, ReasonCode::kMalformedPacket);
  }
}

}  // namespace
}  // namespace nightjar::testing
