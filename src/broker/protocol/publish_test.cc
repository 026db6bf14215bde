// PUBLISH from clients: acknowledgements, QoS 2, topic aliases, Receive Maximum and the listener's limits
// (sections 3.3, 4.3, 4.9).
#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string alias(std::uint16_t number) {
  ByteBuffer properties;
  mqtt::PropertyWriter{properties}.u16(mqtt::PropertyId::kTopicAlias, number);
  return std::string{as_text(properties.view())};
}

struct Stage {
  explicit Stage(const WorldOptions& options = {}) : world{options} {
    watcher.subscribe("#", Qos::kExactlyOnce);
    watcher.run();
  }
  void run() { run_all({&publisher, &watcher}); }

  World world;
  Client watcher = joined(world, "watcher");
  Client publisher = joined(world, "publisher");
};

TEST(Publish, IsAcknowledgedByItsQos) {
  Stage stage;
  stage.publisher.auto_acknowledge = false;
  stage.publisher.publish("a", "0");
  stage.publisher.publish("a", "1", {.qos = Qos::kAtLeastOnce, .packet_id = std::uint16_t{7}});
  stage.publisher.publish("a", "2", {.qos = Qos::kExactlyOnce, .packet_id = std::uint16_t{8}});
  stage.run();
  ASSERT_THAT(stage.publisher.acks, SizeIs(2));
  EXPECT_EQ(stage.publisher.acks[0].type, PacketType::kPuback);
  EXPECT_EQ(stage.publisher.acks[0].packet_id.value, 7);
  EXPECT_EQ(stage.publisher.acks[1].type, PacketType::kPubrec);
  EXPECT_EQ(stage.publisher.acks[1].packet_id.value, 8);
  EXPECT_THAT(payloads(stage.watcher), ElementsAre("0", "1", "2"));
  stage.publisher.acknowledge(PacketType::kPubrel, {8});
  stage.run();
  EXPECT_EQ(stage.publisher.acks.back().type, PacketType::kPubcomp);
  EXPECT_EQ(stage.publisher.acks.back().code, ReasonCode::kSuccess);
}

TEST(Publish, WithoutSubscribersSaysSoIn5) {
  World world;
  for (const Version version : {Version::k5, Version::k311}) {
    Client publisher = joined(world, "publisher", {.version = version});
    publisher.auto_acknowledge = false;
    publisher.publish("nobody", "1", {.qos = Qos::kAtLeastOnce});
    publisher.publish("nobody", "2", {.qos = Qos::kExactlyOnce});
    publisher.run();
    const auto code = version == Version::k5 ? ReasonCode::kNoMatchingSubscribers : ReasonCode::kSuccess;
    ASSERT_THAT(publisher.acks, SizeIs(2));
    EXPECT_EQ(publisher.acks[0].code, code);
    EXPECT_EQ(publisher.acks[1].code, code);
  }
  EXPECT_EQ(world.counters().publish_unrouted, 4U);
}

TEST(Qos2, IsRoutedOnceUntilItsRelease) {
  for (const Version version : {Version::k5, Version::k311}) {
    Stage stage;
    Client publisher =
        joined(stage.world, "p", {.version = version, .clean_start = false, .session_expiry_s = 100});
    publisher.auto_acknowledge = false;
    publisher.publish("a", "once", {.qos = Qos::kExactlyOnce, .packet_id = std::uint16_t{5}});
    publisher.publish("a", "once", {.qos = Qos::kExactlyOnce, .dup = true, .packet_id = std::uint16_t{5}});
    publisher.run();
    publisher.connect({.version = version, .clean_start = false, .session_expiry_s = 100});
    publisher.publish("a", "once", {.qos = Qos::kExactlyOnce, .dup = true, .packet_id = std::uint16_t{5}});
    publisher.run();
    EXPECT_THAT(publisher.acks, SizeIs(3));
    publisher.acknowledge(PacketType::kPubrel, {5});
    publisher.run();
    EXPECT_EQ(publisher.acks.back().code, ReasonCode::kSuccess);
    publisher.publish("a", "new", {.qos = Qos::kExactlyOnce, .packet_id = std::uint16_t{5}});
    run_all({&publisher, &stage.watcher});
    EXPECT_THAT(payloads(stage.watcher), ElementsAre("once", "new"));
  }
}

TEST(Qos2, AcrossACleanStartTheIdIsForgotten) {
  Stage stage;
  Client publisher = joined(stage.world, "p", {.session_expiry_s = 100});
  publisher.auto_acknowledge = false;
  publisher.publish("a", "1", {.qos = Qos::kExactlyOnce, .packet_id = std::uint16_t{5}});
  publisher.run();
  publisher.connect({.clean_start = true});
  publisher.publish("a", "2", {.qos = Qos::kExactlyOnce, .packet_id = std::uint16_t{5}});
  run_all({&publisher, &stage.watcher});
  EXPECT_THAT(payloads(stage.watcher), ElementsAre("1", "2"));
}

TEST(ReceiveMaximum, EndsAConnectionThatExceedsIt) {
  Stage stage{{.listener = {.receive_maximum = 2}}};
  stage.publisher.auto_acknowledge = false;
  for (int i = 0; i < 3; ++i) stage.publisher.publish("a", "m", {.qos = Qos::kExactlyOnce});
  stage.run();
  EXPECT_EQ(stage.publisher.disconnect_code, ReasonCode::kReceiveMaximumExceeded);
  EXPECT_THAT(stage.watcher.received, SizeIs(2));
}

TEST(ReceiveMaximum, IsFreedByReleaseAndNotUsedByQos1OrRepeats) {
  Stage stage{{.listener = {.receive_maximum = 2}}};
  stage.publisher.auto_acknowledge = false;
  for (std::uint16_t id = 1; id <= 10; ++id) {
    stage.publisher.publish("a", "m", {.qos = Qos::kExactlyOnce, .packet_id = id});
    stage.publisher.publish("a", "m", {.qos = Qos::kExactlyOnce, .dup = true, .packet_id = id});
    stage.publisher.publish("a", "m",
                            {.qos = Qos::kAtLeastOnce, .packet_id = static_cast<std::uint16_t>(100 + id)});
    if (id > 1) stage.publisher.acknowledge(PacketType::kPubrel, {static_cast<std::uint16_t>(id - 1)});
    stage.publisher.acknowledge(PacketType::kPubrel, {id});
  }
  stage.run();
  EXPECT_FALSE(stage.publisher.is_closed());
  EXPECT_THAT(stage.watcher.received, SizeIs(20));
}

TEST(ReceiveMaximum, BeginsAnewWithTheConnection) {
  Stage stage{{.listener = {.receive_maximum = 2}}};
  Client publisher = joined(stage.world, "p", {.session_expiry_s = 100});
  publisher.auto_acknowledge = false;
  publisher.publish("a", "1", {.qos = Qos::kExactlyOnce, .packet_id = std::uint16_t{1}});
  publisher.publish("a", "2", {.qos = Qos::kExactlyOnce, .packet_id = std::uint16_t{2}});
  publisher.run();
  publisher.connect({.clean_start = false, .session_expiry_s = 100});
  // PUBREL of the first two is still to come; they do not count on this connection [section 4.9].
  publisher.publish("a", "3", {.qos = Qos::kExactlyOnce, .packet_id = std::uint16_t{3}});
  publisher.publish("a", "4", {.qos = Qos::kExactlyOnce, .packet_id = std::uint16_t{4}});
  publisher.run();
  EXPECT_FALSE(publisher.is_closed());
  publisher.acknowledge(PacketType::kPubrel, {1});
  publisher.acknowledge(PacketType::kPubrel, {3});
  publisher.publish("a", "2", {.qos = Qos::kExactlyOnce, .dup = true, .packet_id = std::uint16_t{2}});
  publisher.run();
  EXPECT_FALSE(publisher.is_closed());
  publisher.publish("a", "5", {.qos = Qos::kExactlyOnce, .packet_id = std::uint16_t{5}});
  publisher.run();
  EXPECT_EQ(publisher.disconnect_code, ReasonCode::kReceiveMaximumExceeded) << "2 was sent again, 4 is open";
}

TEST(AliasIn, StandsForATopic) {
  Stage stage;
  stage.publisher.publish("first", "1", {.properties = alias(1)});
  stage.publisher.publish("second", "2", {.properties = alias(64)});
  stage.publisher.publish("", "3", {.properties = alias(1)});
  stage.publisher.publish("", "4", {.properties = alias(64)});
  stage.publisher.publish("third", "5", {.properties = alias(1)});
  stage.publisher.publish("", "6", {.qos = Qos::kAtLeastOnce, .properties = alias(1)});
  stage.run();
  std::vector<std::string> topics;
  for (const Received& got : stage.watcher.received) {
    topics.push_back(got.topic);
    EXPECT_FALSE(got.topic_alias) << "an alias is not passed on";
  }
  EXPECT_THAT(topics, ElementsAre("first", "second", "first", "second", "third", "third"));
}

TEST(AliasIn, OutOfRangeOrUnknownEndsTheConnection) {
  struct Wrong {
    std::string topic;
    std::uint16_t number;
    ReasonCode code;
  };
  for (const Wrong& wrong :
       {Wrong{"a", 65, ReasonCode::kTopicAliasInvalid}, Wrong{"", 3, ReasonCode::kProtocolError}}) {
    Stage stage;
    stage.publisher.publish(wrong.topic, "x", {.properties = alias(wrong.number)});
    stage.run();
    EXPECT_EQ(stage.publisher.disconnect_code, wrong.code);
    EXPECT_THAT(stage.watcher.received, IsEmpty());
  }
}

TEST(AliasIn, DoesNotOutliveTheConnection) {
  Stage stage;
  stage.publisher.publish("first", "1", {.properties = alias(1)});
  stage.run();
  stage.publisher.connect();
  stage.publisher.publish("", "2", {.properties = alias(1)});
  stage.run();
  EXPECT_EQ(stage.publisher.disconnect_code, ReasonCode::kProtocolError);
}

TEST(Policy, MaximumQosAndRetainAvailableEndTheConnection) {
  struct Limit {
    broker::ListenerPolicy listener;
    PublishOptions publish;
    ReasonCode code;
  };
  const std::vector<Limit> limits = {
      {{.maximum_qos = Qos::kAtLeastOnce}, {.qos = Qos::kExactlyOnce}, ReasonCode::kQosNotSupported},
      {{.maximum_qos = Qos::kAtMostOnce}, {.qos = Qos::kAtLeastOnce}, ReasonCode::kQosNotSupported},
      {{.retain_available = false}, {.retain = true}, ReasonCode::kRetainNotSupported}};
  for (const Limit& limit : limits) {
    Stage stage{{.listener = limit.listener}};
    stage.publisher.publish("a", "x", limit.publish);
    stage.run();
    EXPECT_EQ(stage.publisher.disconnect_code, limit.code);
    EXPECT_THAT(stage.watcher.received, IsEmpty());
    Client old = joined(stage.world, "old", {.version = Version::k311});
    old.publish("a", "x", limit.publish);
    old.run();
    EXPECT_TRUE(old.is_closed());
  }
}

TEST(Policy, ASubscriptionIdentifierIsNotForClientsToSend) {
  Stage stage;
  ByteBuffer properties;
  mqtt::PropertyWriter{properties}.varint(mqtt::PropertyId::kSubscriptionIdentifier, 5);
  stage.publisher.publish("a", "x", {.properties = std::string{as_text(properties.view())}});
  stage.run();
  EXPECT_EQ(stage.publisher.disconnect_code, ReasonCode::kProtocolError);
}

TEST(Policy, TopicsOfTooManyLevelsAreRefused) {
  Stage stage{{.listener = {.topic_levels_max = 3}}};
  stage.publisher.auto_acknowledge = false;
  stage.publisher.publish("1/2/3", "x", {.qos = Qos::kAtLeastOnce});
  stage.publisher.publish("1/2/3/4", "x", {.qos = Qos::kAtLeastOnce});
  stage.publisher.publish("1/2/3/4", "x", {.qos = Qos::kExactlyOnce});
  stage.run();
  ASSERT_THAT(stage.publisher.acks, SizeIs(3));
  EXPECT_EQ(stage.publisher.acks[0].code, ReasonCode::kSuccess);
  EXPECT_EQ(stage.publisher.acks[1].code, ReasonCode::kTopicNameInvalid);
  EXPECT_EQ(stage.publisher.acks[2].code, ReasonCode::kTopicNameInvalid);
  stage.publisher.publish("1/2/3/4", "x");
  stage.run();
  EXPECT_EQ(stage.publisher.disconnect_code, ReasonCode::kTopicNameInvalid) << "QoS 0 has no other word";
  Client old = joined(stage.world, "old", {.version = Version::k311});
  old.publish("1/2/3/4", "x", {.qos = Qos::kAtLeastOnce});
  old.run();
  EXPECT_TRUE(old.is_closed());
  EXPECT_THAT(old.acks, IsEmpty());
  EXPECT_EQ(stage.world.counters().publish_refused, 4U);
}

class OnlyOwn : public OpenDoor {
 public:
  bool may_publish(const broker::ClientIdentity& who, std::string_view topic, Qos, bool) override {
    return topic.starts_with(who.client_id);
  }
};

TEST(Denied, PublishIsRefusedIn5AndSwallowedIn3) {
  OnlyOwn rules;
  Stage stage{{.authorizer = &rules}};
  for (const Version version : {Version::k5, Version::k311}) {
    Client client = joined(stage.world, "mine", {.version = version});
    client.publish("other", "0");
    client.publish("other", "1", {.qos = Qos::kAtLeastOnce});
    client.publish("other", "2", {.qos = Qos::kExactlyOnce});
    client.publish("mine", "3", {.qos = Qos::kAtLeastOnce});
    client.publish("$SYS/broker/x", "4", {.qos = Qos::kAtLeastOnce});
    run_all({&client, &stage.watcher});
    EXPECT_FALSE(client.is_closed());
    std::vector<ReasonCode> codes;
    for (const auto& ack : client.acks) codes.push_back(ack.code);
    if (version == Version::k5) {
      EXPECT_THAT(codes, ElementsAre(ReasonCode::kNotAuthorized, ReasonCode::kNotAuthorized,
                                     ReasonCode::kSuccess, ReasonCode::kNotAuthorized));
    } else {
      EXPECT_THAT(client.acks, SizeIs(5)) << "PUBREC and PUBCOMP for the one at QoS 2";
    }
  }
  EXPECT_THAT(payloads(stage.watcher), ElementsAre("3", "3"));
  EXPECT_EQ(stage.world.counters().publish_refused, 8U);
}

TEST(RetainedLimit, RefusesWhatItCannotKeep) {
  Stage stage{{.node = {.retained_messages_max = 1, .sys_interval = Duration{0}}}};
  stage.publisher.auto_acknowledge = false;
  stage.publisher.publish("a", "kept", {.qos = Qos::kAtLeastOnce, .retain = true});
  stage.publisher.publish("b", "refused", {.qos = Qos::kAtLeastOnce, .retain = true});
  stage.publisher.publish("b", "refused",
                          {.qos = Qos::kExactlyOnce, .retain = true, .packet_id = std::uint16_t{9}});
  stage.publisher.publish("b", "live only", {.retain = true});
  stage.publisher.publish("a", "replaced", {.qos = Qos::kAtLeastOnce, .retain = true});
  stage.run();
  std::vector<ReasonCode> codes;
  for (const auto& ack : stage.publisher.acks) codes.push_back(ack.code);
  EXPECT_THAT(codes, ElementsAre(ReasonCode::kSuccess, ReasonCode::kQuotaExceeded, ReasonCode::kQuotaExceeded,
                                 ReasonCode::kSuccess));
  EXPECT_THAT(stage.publisher.acks[1].reason, HasSubstr("max_retained_messages"));
  EXPECT_THAT(payloads(stage.watcher), ElementsAre("kept", "live only", "replaced"));
  EXPECT_EQ(stage.world.node().retained().count(), 1U);
  EXPECT_EQ(stage.world.counters().publish_refused, 2U);
  // The refused packet id is free.
  stage.publisher.publish("c", "next", {.qos = Qos::kExactlyOnce, .packet_id = std::uint16_t{9}});
  stage.run();
  EXPECT_EQ(payloads(stage.watcher).back(), "next");
}

TEST(RetainedLimit, A311ClientIsNotAcknowledgedAndMayTryAgain) {
  Stage stage{{.node = {.retained_messages_max = 1, .sys_interval = Duration{0}}}};
  stage.publisher.publish("a", "kept", {.qos = Qos::kAtLeastOnce, .retain = true});
  stage.run();
  Client old = joined(stage.world, "old", {.version = Version::k311, .clean_start = false});
  old.publish("b", "later", {.qos = Qos::kExactlyOnce, .retain = true, .packet_id = std::uint16_t{9}});
  old.run();
  EXPECT_TRUE(old.is_closed());
  EXPECT_THAT(old.acks, IsEmpty());
  stage.publisher.publish("a", "", {.qos = Qos::kAtLeastOnce, .retain = true});
  stage.run();
  old.connect({.version = Version::k311, .clean_start = false});
  old.publish("b", "later",
              {.qos = Qos::kExactlyOnce, .retain = true, .dup = true, .packet_id = std::uint16_t{9}});
  run_all({&old, &stage.watcher});
  EXPECT_EQ(payloads(stage.watcher).back(), "later");
  EXPECT_TRUE(stage.world.node().retained().find("b"));
}

TEST(Forwarding, PassesPropertiesOnToA5ReceiverOnly) {
  Stage stage;
  Client old = joined(stage.world, "old", {.version = Version::k311});
  old.subscribe("a");
  old.run();
  ByteBuffer properties;
  mqtt::PropertyWriter writer{properties};
  writer.u8(mqtt::PropertyId::kPayloadFormatIndicator, 1);
  writer.text(mqtt::PropertyId::kContentType, "text/plain");
  writer.text(mqtt::PropertyId::kResponseTopic, "answers");
  writer.binary(mqtt::PropertyId::kCorrelationData, as_bytes(std::string_view{"42"}));
  writer.user("b", "2");
  writer.user("a", "1");
  writer.user("b", "3");
  stage.publisher.publish("a", "x", {.properties = std::string{as_text(properties.view())}});
  run_all({&stage.publisher, &stage.watcher, &old});
  ASSERT_THAT(stage.watcher.received, SizeIs(1));
  const Received& got = stage.watcher.received[0];
  EXPECT_EQ(got.content_type, "text/plain");
  EXPECT_EQ(got.response_topic, "answers");
  EXPECT_EQ(got.correlation_data, "42");
  EXPECT_THAT(got.user_properties, ElementsAre(UserPropertyText{"b", "2"}, UserPropertyText{"a", "1"},
                                               UserPropertyText{"b", "3"}));  // [MQTT-3.3.2-18]
  EXPECT_THAT(payloads(old), ElementsAre("x"));
}

TEST(Malformed, PacketsEndTheConnectionWithTheirCode) {
  struct Bad {
    std::string_view bytes;
    ReasonCode code;
  };
  constexpr Bad kBad[] = {{{"\x36\x05\x00\x01"
                            "a\x00\x01",
                            7},
                           ReasonCode::kMalformedPacket},                             // QoS 3
                          {{"\xc1\x00", 2}, ReasonCode::kMalformedPacket},            // PINGREQ with flags
                          {{"\x20\x03\x00\x00\x00", 5}, ReasonCode::kProtocolError},  // CONNACK from a client
                          {{"\x30\xff\xff\xff\xff\x7f", 6}, ReasonCode::kMalformedPacket}};
  for (const Bad& bad : kBad) {
    World world;
    Client client = joined(world, "client");
    client.send(as_bytes(bad.bytes));
    client.run();
    EXPECT_EQ(client.disconnect_code, bad.code);
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(world.counters().protocol_errors, 1U);
  }
}

TEST(Malformed, APacketAboveTheLimitIsRefusedByItsLength) {
  World world{{.listener = {.packet_bytes_max = 1000}}};
  Client client = joined(world, "client");
  client.publish("a", std::string(900, 'x'), {.qos = Qos::kAtLeastOnce});
  client.run();
  EXPECT_FALSE(client.is_closed());
  client.send(as_bytes(std::string_view{"\x30\xf0\x2e", 3}));  // 6000 bytes are announced
  client.run();
  EXPECT_EQ(client.disconnect_code, ReasonCode::kPacketTooLarge);
}

TEST(Malformed, ASecondConnectIsAProtocolError) {
  World world;
  Client client = joined(world, "client");
  mqtt::write_connect(client.wire().to_broker, {.version = Version::k5, .client_id = "client"});
  client.run();
  EXPECT_EQ(client.disconnect_code, ReasonCode::kProtocolError);
}

}  // namespace
}  // namespace nightjar::testing
