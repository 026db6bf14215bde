#include "mqtt/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "mqtt/packet_case.h"

namespace nightjar::mqtt {
namespace {

std::string take(ByteBuffer& out) {
  std::string bytes{as_text(out.view())};
  out.clear();
  return bytes;
}

TEST(WriteConnect, NamesTheProtocolOfEachVersion) {
  ByteBuffer out;
  write_connect(out, {.version = Version::k31, .client_id = "c"});
  EXPECT_EQ(take(out), bytes_of("10 {(MQIsdp) 03 02 003C (c)}"));
  write_connect(out, {.version = Version::k311, .clean_start = false, .keep_alive_s = 1, .client_id = "c"});
  EXPECT_EQ(take(out), bytes_of("10 {(MQTT) 04 00 0001 (c)}"));
  write_connect(out, {.version = Version::k5, .client_id = "c"});
  EXPECT_EQ(take(out), bytes_of("10 {(MQTT) 05 02 003C {} (c)}"));
}

TEST(WriteConnect, LeavesOutWhatIsNotThere) {
  ByteBuffer out;
  const std::string properties = bytes_of("11 00000001");
  // Fields without their has_… flag, and properties before 5.0, do not reach the wire.
  write_connect(out, {.version = Version::k311,
                      .client_id = "c",
                      .will_topic = "w",
                      .will_qos = Qos::kExactlyOnce,
                      .will_retain = true,
                      .user_name = "u",
                      .properties = as_bytes(properties)});
  EXPECT_EQ(take(out), bytes_of("10 {(MQTT) 04 02 003C (c)}"));
}

TEST(WriteConnack, SpeaksEachVersion) {
  ByteBuffer out;
  write_connack(out, Version::k31, true, ReasonCode::kSuccess, {});
  EXPECT_EQ(take(out), bytes_of("20 02 00 00"));
  write_connack(out, Version::k311, true, ReasonCode::kSuccess, {});
  EXPECT_EQ(take(out), bytes_of("20 02 01 00"));
  write_connack(out, Version::k311, false, ReasonCode::kBanned, as_bytes("ignored"));
  EXPECT_EQ(take(out), bytes_of("20 02 00 05"));
  write_connack(out, Version::k5, false, ReasonCode::kBanned, {});
  EXPECT_EQ(take(out), bytes_of("20 03 00 8A 00"));
}

TEST(WritePublish, JoinsTheTwoPiecesOfProperties) {
  ByteBuffer out;
  const std::string carried = bytes_of("26 (k)(v)");
  const std::string added = bytes_of("0B 05");
  const PublishOut packet{.qos = Qos::kAtLeastOnce,
                          .retain = true,
                          .packet_id = {258},
                          .topic = "a",
                          .properties = as_bytes(carried),
                          .more_properties = as_bytes(added),
                          .payload = as_bytes("hi")};
  write_publish(out, Version::k5, packet);
  EXPECT_EQ(out.size(), publish_size(Version::k5, packet));
  EXPECT_EQ(take(out), bytes_of("33 {(a) 0102 {26 (k)(v) 0B 05} 'hi'}"));
  write_publish(out, Version::k311, packet);
  EXPECT_EQ(out.size(), publish_size(Version::k311, packet));
  EXPECT_EQ(take(out), bytes_of("33 {(a) 0102 'hi'}"));
}

TEST(WritePublish, StatesItsSizeAtEveryLengthOfTheHeader) {
  for (const std::size_t size : {0U, 1U, 120U, 121U, 122U, 123U, 124U, 125U, 16'375U, 16'376U, 16'380U,
                                 16'385U, 2'097'146U, 2'097'147U, 2'097'152U}) {
    const std::string payload(size, 'p');
    for (const Version version : {Version::k311, Version::k5}) {
      const PublishOut packet{.topic = "a/b", .payload = as_bytes(payload)};
      ByteBuffer out;
      out.append("before");
      write_publish(out, version, packet);
      const std::string body =
          std::string("\0\3a/b", 5) + (version == Version::k5 ? std::string(1, '\0') : "");
      const std::string expected = "before\x30" + detail::length_prefix(body.size() + size) + body + payload;
      ASSERT_EQ(as_text(out.view()), expected) << size;
      ASSERT_EQ(publish_size(version, packet), expected.size() - 6) << size;
    }
  }
}

TEST(WritePublishAck, TakesTheShortFormOnlyForASuccessWithoutProperties) {
  ByteBuffer out;
  const std::string reason = bytes_of("1F (x)");
  write_publish_ack(out, Version::k5, PacketType::kPuback, {1});
  EXPECT_EQ(take(out), bytes_of("40 02 0001"));
  write_publish_ack(out, Version::k5, PacketType::kPubrec, {1}, ReasonCode::kNotAuthorized);
  EXPECT_EQ(take(out), bytes_of("50 03 0001 87"));
  write_publish_ack(out, Version::k5, PacketType::kPubrel, {1}, ReasonCode::kSuccess, as_bytes(reason));
  EXPECT_EQ(take(out), bytes_of("62 {0001 00 {1F (x)}}"));
  write_publish_ack(out, Version::k311, PacketType::kPubcomp, {1}, ReasonCode::kPacketIdentifierNotFound,
                    as_bytes(reason));
  EXPECT_EQ(take(out), bytes_of("70 02 0001"));
}

TEST(WriteSubscribe, LeavesTheOptionsOf5OutBefore5) {
  ByteBuffer out;
  const SubscriptionRequest requests[] = {{.filter = "a",
                                           .qos = Qos::kAtLeastOnce,
                                           .no_local = true,
                                           .retain_as_published = true,
                                           .retain_handling = RetainHandling::kDoNotSend}};
  write_subscribe(out, Version::k311, {1}, requests);
  EXPECT_EQ(take(out), bytes_of("82 {0001 (a) 01}"));
  write_subscribe(out, Version::k5, {1}, requests);
  EXPECT_EQ(take(out), bytes_of("82 {0001 {} (a) 2D}"));
}

TEST(WriteSuback, KnowsOneFailureBefore5) {
  ByteBuffer out;
  const ReasonCode codes[] = {ReasonCode::kGrantedQos2, ReasonCode::kNotAuthorized,
                              ReasonCode::kUnspecifiedError};
  write_suback(out, Version::k311, {1}, codes);
  EXPECT_EQ(take(out), bytes_of("90 {0001 02 80 80}"));
  write_suback(out, Version::k31, {1}, codes);
  EXPECT_EQ(take(out), bytes_of("90 {0001 02 80 80}"));
  write_suback(out, Version::k5, {1}, codes);
  EXPECT_EQ(take(out), bytes_of("90 {0001 {} 02 87 80}"));
}

TEST(WriteUnsuback, HasCodesOnlyIn5) {
  ByteBuffer out;
  const ReasonCode codes[] = {ReasonCode::kSuccess, ReasonCode::kNoSubscriptionExisted};
  write_unsuback(out, Version::k311, {1}, codes);
  EXPECT_EQ(take(out), bytes_of("B0 02 0001"));
  write_unsuback(out, Version::k5, {1}, codes);
  EXPECT_EQ(take(out), bytes_of("B0 {0001 {} 00 11}"));
}

TEST(WriteDisconnect, SaysNothingMoreBefore5) {
  ByteBuffer out;
  write_disconnect(out, Version::k311, ReasonCode::kServerShuttingDown, as_bytes("ignored"));
  EXPECT_EQ(take(out), bytes_of("E0 00"));
  write_disconnect(out, Version::k5, ReasonCode::kServerShuttingDown);
  EXPECT_EQ(take(out), bytes_of("E0 01 8B"));
  write_disconnect(out, Version::k5, ReasonCode::kSuccess);
  EXPECT_EQ(take(out), bytes_of("E0 00"));
}

}  // namespace
}  // namespace nightjar::mqtt
