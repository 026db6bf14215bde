#include "cli/client_protocol.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace nightjar::cli {
namespace {

using mqtt::PacketId;
using mqtt::PacketType;
using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

ConnectionSettings as_client(Version version) {
  ConnectionSettings settings;
  settings.version = version;
  settings.client_id = "client";
  return settings;
}

OutgoingMessage message(std::string payload, Qos qos) {
  return {.topic = "t", .payload = std::move(payload), .qos = qos};
}

// The other end of the connection: writes a broker's packets and reads the client's as one line each.
class Broker {
 public:
  explicit Broker(const ConnectionSettings& settings) : version_(settings.version), client_(settings) {}

  ClientProtocol& client() { return client_; }

  // The client connects and the broker accepts; `properties` are those of CONNACK.
  void accept(bool session_present = false, ByteView properties = {}) {
    client_.start();
    sent();
    mqtt::write_connack(out_, version_, session_present, ReasonCode::kSuccess, properties);
    deliver();
    const auto is_connected = [](const Event& event) { return std::holds_alternative<Connected>(event); };
    ASSERT_EQ(std::erase_if(events_, is_connected), 1U);
  }

  // What the client wrote since the last call: "PUBLISH q1 id1 t=hello", "PUBREL id1", …
  std::vector<std::string> sent() {
    std::vector<std::string> lines;
    ByteBuffer& bytes = client_.output();
    while (!bytes.empty()) {
      const mqtt::FrameResult result = mqtt::next_frame(bytes.view(), 1'000'000, version_);
      EXPECT_EQ(result.state, mqtt::FrameState::kComplete);
      if (result.state != mqtt::FrameState::kComplete) return lines;
      lines.push_back(line(result.frame));
      bytes.consume(result.frame.size);
    }
    return lines;
  }

  void ack(PacketType type, std::uint16_t id, ReasonCode code = ReasonCode::kSuccess,
           ByteView properties = {}) {
    mqtt::write_publish_ack(out_, version_, type, {id}, code, properties);
    deliver();
  }

  void publish(const mqtt::PublishOut& packet) {
    mqtt::write_publish(out_, version_, packet);
    deliver();
  }

  ByteBuffer& out() { return out_; }
  // Hands over what was written to out().
  void deliver() {
    client_.receive(out_.view());
    out_.clear();
    while (client_.has_event()) {
      Event event;
      client_.next_event(event);
      events_.push_back(std::move(event));
    }
  }

  std::vector<Event> events() {
    while (client_.has_event()) {
      Event event;
      client_.next_event(event);
      events_.push_back(std::move(event));
    }
    return std::exchange(events_, {});
  }

  template <typename T>
  std::vector<T> events_of() {
    std::vector<T> result;
    for (Event& event : events()) {
      if (auto* wanted = std::get_if<T>(&event)) result.push_back(std::move(*wanted));
    }
    return result;
  }

 private:
  std::string line(const mqtt::Frame& frame) {
    std::string text{mqtt::to_string(frame.type)};
    if (frame.type == PacketType::kConnect) {
      Version version = version_;
      const auto packet = mqtt::read_connect(frame, version);
      EXPECT_TRUE(packet.has_value());
      if (packet) text += packet->clean_start ? " clean" : " resume";
    } else if (frame.type == PacketType::kPublish) {
      const auto packet = mqtt::read_publish(frame, version_);
      EXPECT_TRUE(packet.has_value());
      if (!packet) return text;
      text += fmt::format(" q{}", static_cast<int>(packet->qos));
      if (packet->qos != Qos::kAtMostOnce) text += fmt::format(" id{}", packet->packet_id.value);
      if (packet->dup) text += " dup";
      text += fmt::format(" {}={}", packet->topic, as_text(packet->payload));
    } else if (frame.type >= PacketType::kPuback && frame.type <= PacketType::kPubcomp) {
      const auto packet = mqtt::read_publish_ack(frame, version_);
      EXPECT_TRUE(packet.has_value());
      if (!packet) return text;
      text += fmt::format(" id{}", packet->packet_id.value);
      if (packet->code != ReasonCode::kSuccess)
        text += fmt::format(" 0x{:02x}", static_cast<int>(packet->code));
    }
    return text;
  }

  Version version_;
  ClientProtocol client_;
  ByteBuffer out_;
  std::vector<Event> events_;
};

ByteBuffer receive_maximum(std::uint16_t value) {
  ByteBuffer encoded;
  mqtt::PropertyWriter{encoded}.u16(PropertyId::kReceiveMaximum, value);
  return encoded;
}

class EveryVersion : public testing::TestWithParam<Version> {};
INSTANTIATE_TEST_SUITE_P(, EveryVersion, testing::Values(Version::k31, Version::k311, Version::k5));

TEST_P(EveryVersion, PublishesAtMostOnceWithoutWaiting) {
  Broker broker{as_client(GetParam())};
  broker.accept();
  broker.client().publish(1, message("hello", Qos::kAtMostOnce));
  EXPECT_THAT(broker.sent(), ElementsAre("PUBLISH q0 t=hello"));
  EXPECT_THAT(broker.events_of<Published>(), SizeIs(1));
  EXPECT_EQ(broker.client().unfinished(), 0U);
}

TEST_P(EveryVersion, FinishesAtLeastOnceWithPuback) {
  Broker broker{as_client(GetParam())};
  broker.accept();
  broker.client().publish(1, message("hello", Qos::kAtLeastOnce));
  EXPECT_THAT(broker.sent(), ElementsAre("PUBLISH q1 id1 t=hello"));
  EXPECT_THAT(broker.events_of<Published>(), IsEmpty());
  broker.ack(PacketType::kPuback, 1);
  const auto published = broker.events_of<Published>();
  ASSERT_THAT(published, SizeIs(1));
  EXPECT_TRUE(published[0].accepted);
  EXPECT_EQ(broker.client().unfinished_bytes(), 0U);
}

TEST_P(EveryVersion, FinishesExactlyOnceWithPubcomp) {
  Broker broker{as_client(GetParam())};
  broker.accept();
  broker.client().publish(1, message("hello", Qos::kExactlyOnce));
  EXPECT_THAT(broker.sent(), ElementsAre("PUBLISH q2 id1 t=hello"));
  broker.ack(PacketType::kPubrec, 1);
  EXPECT_THAT(broker.sent(), ElementsAre("PUBREL id1"));
  EXPECT_THAT(broker.events_of<Published>(), IsEmpty());
  broker.ack(PacketType::kPubcomp, 1);
  EXPECT_THAT(broker.events_of<Published>(), SizeIs(1));
}

TEST_P(EveryVersion, AcknowledgesWhatItReceives) {
  Broker broker{as_client(GetParam())};
  broker.accept();
  broker.publish({.topic = "t", .payload = as_bytes("0")});
  broker.publish({.qos = Qos::kAtLeastOnce, .packet_id = {5}, .topic = "t", .payload = as_bytes("1")});
  EXPECT_THAT(broker.sent(), ElementsAre("PUBACK id5"));
  EXPECT_THAT(broker.events_of<ReceivedMessage>(), SizeIs(2));
}

TEST_P(EveryVersion, DeliversExactlyOnceEvenIfSentAgain) {
  ConnectionSettings settings = as_client(GetParam());
  settings.clean_start = false;
  Broker broker{settings};
  const mqtt::PublishOut first{
      .qos = Qos::kExactlyOnce, .packet_id = {5}, .topic = "t", .payload = as_bytes("x")};
  mqtt::PublishOut again = first;
  again.dup = true;
  broker.accept();
  broker.publish(first);
  EXPECT_THAT(broker.sent(), ElementsAre("PUBREC id5"));
  broker.accept(true);
  broker.publish(again);
  EXPECT_THAT(broker.sent(), ElementsAre("PUBREC id5"));
  broker.ack(PacketType::kPubrel, 5);
  EXPECT_THAT(broker.sent(), ElementsAre("PUBCOMP id5"));
  EXPECT_THAT(broker.events_of<ReceivedMessage>(), SizeIs(1));
  broker.publish(first);  // the id is free again, so this is another message
  EXPECT_THAT(broker.events_of<ReceivedMessage>(), SizeIs(1));
}

TEST_P(EveryVersion, SendsAgainInOrderOnAResumedSession) {
  ConnectionSettings settings = as_client(GetParam());
  settings.clean_start = false;
  Broker broker{settings};
  broker.accept();
  broker.client().publish(1, message("a", Qos::kAtLeastOnce));
  broker.client().publish(2, message("b", Qos::kExactlyOnce));
  broker.client().publish(3, message("c", Qos::kExactlyOnce));
  broker.ack(PacketType::kPubrec, 2);
  broker.accept(true);
  EXPECT_THAT(broker.sent(), ElementsAre("PUBREL id2", "PUBLISH q1 id1 dup t=a", "PUBLISH q2 id3 dup t=c"));
  broker.ack(PacketType::kPuback, 1);
  broker.ack(PacketType::kPubcomp, 2);
  broker.ack(PacketType::kPubrec, 3);
  broker.ack(PacketType::kPubcomp, 3);
  EXPECT_THAT(broker.events_of<Published>(), SizeIs(3));
}

TEST(ClientProtocol, StartsAnewWhatALostSessionDidNotComplete) {
  Broker broker{as_client(Version::k5)};
  broker.accept();
  broker.client().publish(1, message("a", Qos::kAtLeastOnce));
  broker.client().publish(2, message("b", Qos::kExactlyOnce));
  broker.client().publish(3, message("c", Qos::kExactlyOnce));
  broker.ack(PacketType::kPubrec, 2);
  broker.client().start();
  broker.sent();
  mqtt::write_connack(broker.out(), Version::k5, false, ReasonCode::kSuccess, {});
  broker.deliver();
  EXPECT_THAT(broker.sent(), ElementsAre("PUBLISH q1 id4 t=a", "PUBLISH q2 id5 t=c"));
  const auto published = broker.events_of<Published>();
  ASSERT_THAT(published, SizeIs(1));  // the broker had all of b
  EXPECT_EQ(published[0].number, 2U);
}

TEST(ClientProtocol, AsksForItsSessionWhenItComesBack) {
  ConnectionSettings settings = as_client(Version::k5);
  settings.session_expiry_s = 60;
  Broker broker{settings};
  broker.client().start();
  EXPECT_THAT(broker.sent(), ElementsAre("CONNECT clean"));
  broker.accept();
  broker.client().start();
  EXPECT_THAT(broker.sent(), ElementsAre("CONNECT resume"));
}

TEST(ClientProtocol, KeepsToTheReceiveMaximum) {
  Broker broker{as_client(Version::k5)};
  broker.accept(false, receive_maximum(2).view());
  for (std::uint64_t number = 1; number <= 4; ++number) {
    broker.client().publish(number, message(std::to_string(number), Qos::kExactlyOnce));
  }
  EXPECT_THAT(broker.sent(), ElementsAre("PUBLISH q2 id1 t=1", "PUBLISH q2 id2 t=2"));
  broker.ack(PacketType::kPubrec, 1);
  EXPECT_THAT(broker.sent(), ElementsAre("PUBREL id1"));  // still counts until PUBCOMP
  broker.ack(PacketType::kPubcomp, 1);
  EXPECT_THAT(broker.sent(), ElementsAre("PUBLISH q2 id3 t=3"));
  broker.ack(PacketType::kPubrec, 2, ReasonCode::kQuotaExceeded);
  EXPECT_THAT(broker.sent(), ElementsAre("PUBLISH q2 id4 t=4"));
}

TEST(ClientProtocol, KeepsToASmallerReceiveMaximumOnResume) {
  ConnectionSettings settings = as_client(Version::k5);
  settings.clean_start = false;
  settings.session_expiry_s = 60;
  Broker broker{settings};
  broker.accept(true);
  broker.client().publish(1, message("a", Qos::kAtLeastOnce));
  broker.client().publish(2, message("b", Qos::kAtLeastOnce));
  broker.accept(true, receive_maximum(1).view());
  EXPECT_THAT(broker.sent(), ElementsAre("PUBLISH q1 id1 dup t=a"));
  broker.ack(PacketType::kPuback, 1);
  EXPECT_THAT(broker.sent(), ElementsAre("PUBLISH q1 id2 dup t=b"));
}

TEST(ClientProtocol, TellsWhyAMessageWasRefused) {
  Broker broker{as_client(Version::k5)};
  broker.accept();
  broker.client().publish(1, message("a", Qos::kAtLeastOnce));
  ByteBuffer reason;
  mqtt::PropertyWriter{reason}.text(PropertyId::kReasonString, "topic is read-only");
  broker.ack(PacketType::kPuback, 1, ReasonCode::kNotAuthorized, reason.view());
  const auto published = broker.events_of<Published>();
  ASSERT_THAT(published, SizeIs(1));
  EXPECT_FALSE(published[0].accepted);
  EXPECT_EQ(published[0].why, "Not authorized (0x87): topic is read-only");
}

TEST(ClientProtocol, RefusesByItselfWhatTheBrokerDoesNotTake) {
  ByteBuffer limits;
  mqtt::PropertyWriter out{limits};
  out.u32(PropertyId::kMaximumPacketSize, 50);
  out.u8(PropertyId::kMaximumQos, 1);
  out.u8(PropertyId::kRetainAvailable, 0);
  Broker broker{as_client(Version::k5)};
  broker.accept(false, limits.view());
  OutgoingMessage retained = message("x", Qos::kAtMostOnce);
  retained.retain = true;
  OutgoingMessage aliased = message("x", Qos::kAtMostOnce);
  aliased.topic_alias = 1;
  broker.client().publish(1, message(std::string(50, 'x'), Qos::kAtMostOnce));
  broker.client().publish(2, message("x", Qos::kExactlyOnce));
  broker.client().publish(3, retained);
  broker.client().publish(4, aliased);
  EXPECT_THAT(broker.sent(), IsEmpty());
  const auto published = broker.events_of<Published>();
  ASSERT_THAT(published, SizeIs(4));
  EXPECT_THAT(published[0].why, HasSubstr("packets of at most 50"));
  EXPECT_THAT(published[1].why, HasSubstr("at most QoS 1"));
  EXPECT_THAT(published[2].why, HasSubstr("retained"));
  EXPECT_THAT(published[3].why, HasSubstr("no topic aliases"));
}

TEST(ClientProtocol, SendsATopicOnceWhenItHasAnAlias) {
  ByteBuffer limits;
  mqtt::PropertyWriter{limits}.u16(PropertyId::kTopicAliasMaximum, 5);
  Broker broker{as_client(Version::k5)};
  broker.accept(false, limits.view());
  OutgoingMessage aliased = message("x", Qos::kAtMostOnce);
  aliased.topic_alias = 5;
  broker.client().publish(1, aliased);
  broker.client().publish(2, aliased);
  EXPECT_THAT(broker.sent(), ElementsAre("PUBLISH q0 t=x", "PUBLISH q0 =x"));
  broker.accept(false, limits.view());  // aliases end with their connection
  broker.client().publish(3, aliased);
  EXPECT_THAT(broker.sent(), ElementsAre("PUBLISH q0 t=x"));
}

TEST(ClientProtocol, UnderstandsTheBrokersAliases) {
  ConnectionSettings settings = as_client(Version::k5);
  settings.topic_alias_maximum = 2;
  Broker broker{settings};
  broker.accept();
  ByteBuffer alias;
  mqtt::PropertyWriter{alias}.u16(PropertyId::kTopicAlias, 2);
  broker.publish({.topic = "long/topic", .properties = alias.view(), .payload = as_bytes("1")});
  broker.publish({.topic = "", .properties = alias.view(), .payload = as_bytes("2")});
  const auto got = broker.events_of<ReceivedMessage>();
  ASSERT_THAT(got, SizeIs(2));
  EXPECT_EQ(got[1].topic, "long/topic");
  EXPECT_EQ(got[1].payload, "2");
}

TEST(ClientProtocol, EndsOnAnAliasThatWasNeverSet) {
  ConnectionSettings settings = as_client(Version::k5);
  settings.topic_alias_maximum = 2;
  Broker broker{settings};
  broker.accept();
  ByteBuffer alias;
  mqtt::PropertyWriter{alias}.u16(PropertyId::kTopicAlias, 1);
  broker.publish({.topic = "", .properties = alias.view()});
  EXPECT_THAT(broker.events_of<Ended>(), SizeIs(1));
  EXPECT_THAT(broker.sent(), ElementsAre("DISCONNECT"));
}

TEST(ClientProtocol, AcknowledgesNothingBehindTheEventInHand) {
  Broker broker{as_client(Version::k311)};
  broker.accept();
  ByteBuffer two;
  mqtt::write_publish(two, Version::k311, {.qos = Qos::kAtLeastOnce, .packet_id = {1}, .topic = "t"});
  mqtt::write_publish(two, Version::k311, {.qos = Qos::kAtLeastOnce, .packet_id = {2}, .topic = "t"});
  broker.client().receive(two.view());
  Event event;
  ASSERT_TRUE(broker.client().next_event(event));
  EXPECT_THAT(broker.sent(), ElementsAre("PUBACK id1"));
  ASSERT_TRUE(broker.client().next_event(event));
  EXPECT_THAT(broker.sent(), ElementsAre("PUBACK id2"));
}

TEST(ClientProtocol, TakesBytesInAnyPieces) {
  Broker broker{as_client(Version::k5)};
  broker.accept();
  ByteBuffer packet;
  mqtt::write_publish(packet, Version::k5, {.topic = "t", .payload = as_bytes("hello")});
  for (const std::byte& byte : packet.view()) {
    EXPECT_FALSE(broker.client().has_event());
    broker.client().receive({&byte, 1});
  }
  EXPECT_TRUE(broker.client().has_event());
}

TEST(ClientProtocol, SaysWhyTheConnectionWasRefused) {
  struct Case {
    Version version;
    ReasonCode code;
    std::string_view why;
    bool may_retry;
  };
  const Case cases[] = {
      {Version::k311, ReasonCode::kNotAuthorized, "not authorized (return code 5)", false},
      {Version::k31, ReasonCode::kBadUserNameOrPassword, "bad user name or password (return code 4)", false},
      {Version::k311, ReasonCode::kServerUnavailable, "server unavailable (return code 3)", true},
      {Version::k5, ReasonCode::kBadUserNameOrPassword, "Bad User Name or Password (0x86)", false},
      {Version::k5, ReasonCode::kServerBusy, "Server busy (0x89)", true},
  };
  for (const Case& c : cases) {
    Broker broker{as_client(c.version)};
    broker.client().start();
    mqtt::write_connack(broker.out(), c.version, false, c.code, {});
    broker.deliver();
    const auto refused = broker.events_of<Refused>();
    ASSERT_THAT(refused, SizeIs(1)) << c.why;
    EXPECT_EQ(refused[0].why, c.why);
    EXPECT_EQ(refused[0].may_retry, c.may_retry);
  }
}

TEST(ClientProtocol, UnderstandsABrokerThatLacksItsVersion) {
  Broker broker{as_client(Version::k5)};
  broker.client().start();
  mqtt::write_connack(broker.out(), Version::k311, false, ReasonCode::kUnsupportedProtocolVersion, {});
  broker.deliver();
  const auto refused = broker.events_of<Refused>();
  ASSERT_THAT(refused, SizeIs(1));
  EXPECT_THAT(refused[0].why, HasSubstr("try another version with -V"));
}

TEST(ClientProtocol, ReportsTheBrokersGoodbye) {
  Broker broker{as_client(Version::k5)};
  broker.accept();
  ByteBuffer reason;
  mqtt::PropertyWriter{reason}.text(PropertyId::kReasonString, "maintenance");
  mqtt::write_disconnect(broker.out(), Version::k5, ReasonCode::kServerShuttingDown, reason.view());
  broker.deliver();
  const auto ended = broker.events_of<Ended>();
  ASSERT_THAT(ended, SizeIs(1));
  EXPECT_EQ(ended[0].why, "the broker ended the connection: Server shutting down (0x8B): maintenance");
  EXPECT_TRUE(ended[0].may_retry);
}

TEST(ClientProtocol, EndsWhenTheBrokerBreaksTheProtocol) {
  const std::vector<std::vector<std::uint8_t>> cases = {
      {0x00, 0x00},              // reserved type
      {0x20, 0x03, 0, 0, 0},     // a second CONNACK
      {0x82, 0x00},              // SUBSCRIBE
      {0x90, 0x04, 0, 9, 0, 0},  // SUBACK that nobody asked for
  };
  for (const auto& bytes : cases) {
    Broker broker{as_client(Version::k5)};
    broker.accept();
    broker.client().receive(std::as_bytes(std::span{bytes}));
    const auto ended = broker.events_of<Ended>();
    ASSERT_THAT(ended, SizeIs(1));
    EXPECT_FALSE(ended[0].may_retry);
    EXPECT_THAT(broker.sent(), ElementsAre("DISCONNECT"));
  }
}

TEST(ClientProtocol, EndsOnAPacketBeforeConnack) {
  Broker broker{as_client(Version::k311)};
  broker.client().start();
  broker.publish({.topic = "t"});
  EXPECT_THAT(broker.events_of<Ended>(), SizeIs(1));
}

TEST(ClientProtocol, TakesTheIdAndTheKeepAliveThatTheBrokerAssigns) {
  ConnectionSettings settings = as_client(Version::k5);
  settings.client_id.clear();
  ByteBuffer properties;
  mqtt::PropertyWriter out{properties};
  out.text(PropertyId::kAssignedClientIdentifier, "assigned");
  out.u16(PropertyId::kServerKeepAlive, 7);
  Broker broker{settings};
  broker.accept(false, properties.view());
  EXPECT_EQ(broker.client().client_id(), "assigned");
  EXPECT_EQ(broker.client().keep_alive_s(), 7);
}

TEST(ClientProtocol, ReportsEachFiltersAnswer) {
  Broker broker{as_client(Version::k5)};
  broker.accept();
  broker.client().subscribe({.filters = {"a", "b"}, .qos = Qos::kAtLeastOnce});
  EXPECT_THAT(broker.sent(), ElementsAre("SUBSCRIBE"));
  const ReasonCode codes[] = {ReasonCode::kGrantedQos1, ReasonCode::kNotAuthorized};
  mqtt::write_suback(broker.out(), Version::k5, {1}, codes);
  broker.deliver();
  const auto subscribed = broker.events_of<Subscribed>();
  ASSERT_THAT(subscribed, SizeIs(1));
  EXPECT_THAT(subscribed[0].codes, ElementsAre(ReasonCode::kGrantedQos1, ReasonCode::kNotAuthorized));
}

TEST(ClientProtocol, CopiesThePropertiesOfAMessageBothWays) {
  MessageProperties properties;
  properties.payload_format = 1;
  properties.message_expiry_s = 30;
  properties.content_type = "text/plain";
  properties.response_topic = "r";
  properties.correlation_data = std::string{"\x00\x01", 2};
  properties.user_properties = {{"a", "1"}, {"b", ""}, {"a", "2"}};
  ByteBuffer encoded;
  mqtt::PropertyWriter out{encoded};
  write_properties(out, properties);
  out.varint(PropertyId::kSubscriptionIdentifier, 3);
  out.varint(PropertyId::kSubscriptionIdentifier, 300);
  Broker broker{as_client(Version::k5)};
  broker.accept();
  broker.publish({.topic = "t", .properties = encoded.view()});
  const auto got = broker.events_of<ReceivedMessage>();
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_EQ(got[0].properties.payload_format, 1);
  EXPECT_EQ(got[0].properties.message_expiry_s, 30U);
  EXPECT_EQ(got[0].properties.content_type, "text/plain");
  EXPECT_EQ(got[0].properties.response_topic, "r");
  EXPECT_EQ(got[0].properties.correlation_data, (std::string{"\x00\x01", 2}));
  ASSERT_THAT(got[0].properties.user_properties, SizeIs(3));
  EXPECT_EQ(got[0].properties.user_properties[2].value, "2");
  EXPECT_THAT(got[0].subscription_ids, ElementsAre(3U, 300U));
}

}  // namespace
}  // namespace nightjar::cli
