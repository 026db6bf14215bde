#include "mqtt/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "mqtt/packet_case.h"

namespace nightjar::mqtt {
namespace {

constexpr std::size_t kNoLimit = 300'000'000;

FrameResult frame_of(const std::string& bytes, std::size_t packet_bytes_max = kNoLimit,
                     Version version = Version::k311) {
  return next_frame(as_bytes(bytes), packet_bytes_max, version);
}

// Reads the CONNECT in `notation`, telling the version that the reader decided on.
ReasonCode refusal_of_connect(std::string_view notation, Version& version) {
  const std::string bytes = bytes_of(notation);
  const auto packet = read_connect(frame_of(bytes).frame, version);
  return packet ? ReasonCode::kSuccess : packet.error().code;
}

TEST(NextFrame, WaitsForTheFirstByteAndTheLength) {
  EXPECT_EQ(frame_of("").state, FrameState::kNeedMore);
  EXPECT_EQ(frame_of("").needed, 0U);
  EXPECT_EQ(frame_of("\x30").state, FrameState::kNeedMore);
  EXPECT_EQ(frame_of("\x30").needed, 0U);
  EXPECT_EQ(frame_of("\x30\x80").state, FrameState::kNeedMore);
  EXPECT_EQ(frame_of("\x30\x80").needed, 0U);
}

TEST(NextFrame, TellsTheSizeOnceItIsKnown) {
  EXPECT_EQ(frame_of("\x30\x05").needed, 7U);
  EXPECT_EQ(frame_of("\x30\x05"
                     "abcd")
                .needed,
            7U);
  EXPECT_EQ(frame_of("\x30\x80\x01").needed, 131U);
  EXPECT_EQ(frame_of("\x30\xFF\xFF\xFF\x7F").needed, 268'435'460U);
}

TEST(NextFrame, CutsOnePacketOffTheFront) {
  const std::string bytes = bytes_of("33 {(a) 0001 'x'} C0 00");
  const FrameResult first = frame_of(bytes);
  ASSERT_EQ(first.state, FrameState::kComplete);
  EXPECT_EQ(first.frame.type, PacketType::kPublish);
  EXPECT_EQ(first.frame.flags, 3);
  EXPECT_EQ(first.frame.size, bytes.size() - 2);
  EXPECT_EQ(first.frame.body.size(), bytes.size() - 4);
  EXPECT_EQ(static_cast<const void*>(first.frame.body.data()), bytes.data() + 2);
  const FrameResult second = frame_of(bytes.substr(first.frame.size));
  ASSERT_EQ(second.state, FrameState::kComplete);
  EXPECT_EQ(second.frame.type, PacketType::kPingreq);
  EXPECT_EQ(second.frame.size, 2U);
}

TEST(NextFrame, RefusesAPacketOverTheLimitBeforeItsBodyArrives) {
  const std::string header = "\x30\x09";
  EXPECT_EQ(frame_of(header, 11).state, FrameState::kNeedMore);
  const FrameResult result = frame_of(header, 10);
  EXPECT_EQ(result.state, FrameState::kInvalid);
  EXPECT_EQ(result.violation.code, ReasonCode::kPacketTooLarge);
  EXPECT_EQ(frame_of(header + "123456789", 11).state, FrameState::kComplete);
  EXPECT_EQ(frame_of(header + "123456789", 10).state, FrameState::kInvalid);
}

TEST(NextFrame, JudgesTheFirstByteAlone) {
  // The flags that each type may carry, by table 2-2; all sixteen for PUBLISH but the two with QoS 3.
  for (unsigned byte = 0; byte < 256; ++byte) {
    const unsigned type = byte >> 4;
    const unsigned flags = byte & 0x0F;
    const bool has_qos3 = (flags & 0x06) == 0x06;
    for (const Version version : {Version::k31, Version::k311, Version::k5}) {
      bool is_valid = flags == 0;
      if (type == 0 || (type == 15 && version != Version::k5)) is_valid = false;
      if (type == 3) is_valid = !has_qos3;
      if (type == 6 || type == 8 || type == 10) is_valid = flags == 2 || version == Version::k31;
      const FrameResult result = frame_of(std::string(1, static_cast<char>(byte)), kNoLimit, version);
      ASSERT_EQ(result.state, is_valid ? FrameState::kNeedMore : FrameState::kInvalid) << byte;
      if (!is_valid) {
        EXPECT_EQ(result.violation.code, ReasonCode::kMalformedPacket);
      }
    }
  }
}

TEST(NextFrame, RefusesABadLength) {
  EXPECT_EQ(frame_of("\x30\x80\x80\x80\x80").violation.code, ReasonCode::kMalformedPacket);
  EXPECT_EQ(frame_of(std::string("\x30\x80\0", 3)).violation.code, ReasonCode::kMalformedPacket);
}

TEST(ReadConnect, TellsHowToAnswerAnUnsupportedLevel) {
  Version version = Version::k31;
  EXPECT_EQ(refusal_of_connect("10 {(MQTT) 06 02 0000 {} ()}", version),
            ReasonCode::kUnsupportedProtocolVersion);
  EXPECT_EQ(version, Version::k5);
  EXPECT_EQ(refusal_of_connect("10 {(MQTT) FF}", version), ReasonCode::kUnsupportedProtocolVersion);
  EXPECT_EQ(version, Version::k5);
  EXPECT_EQ(refusal_of_connect("10 {(MQTT) 02 02 0000 ()}", version),
            ReasonCode::kUnsupportedProtocolVersion);
  EXPECT_EQ(version, Version::k311);
  version = Version::k5;
  EXPECT_EQ(refusal_of_connect("10 {(MQIsdp) 05 02 0000 ()}", version),
            ReasonCode::kUnsupportedProtocolVersion);
  EXPECT_EQ(version, Version::k311);
}

TEST(ReadConnect, TellsTheVersionOfABrokenConnect) {
  Version version = Version::k31;
  EXPECT_EQ(refusal_of_connect("10 {(MQTT) 05 02}", version), ReasonCode::kMalformedPacket);
  EXPECT_EQ(version, Version::k5);
  EXPECT_EQ(refusal_of_connect("10 {(MQTT) 04 02}", version), ReasonCode::kMalformedPacket);
  EXPECT_EQ(version, Version::k311);
  EXPECT_EQ(refusal_of_connect("10 {(MQIsdp) 03 02}", version), ReasonCode::kMalformedPacket);
  EXPECT_EQ(version, Version::k31);
}

TEST(ReadConnect, GivesNoLevelToAForeignProtocol) {
  // "GET / HTTP/1.1" on the wrong port is not answered with a CONNACK of 5.0.
  Version version = Version::k5;
  EXPECT_EQ(refusal_of_connect("10 {(MQTTT) 05 02 0000 {} ()}", version), ReasonCode::kProtocolError);
  EXPECT_EQ(version, Version::k311);
}

TEST(ReadPublish, PointsIntoTheBytesItWasGiven) {
  const std::string bytes = bytes_of("30 {(a/b) 'payload'}");
  const auto packet = read_publish(frame_of(bytes).frame, Version::k311);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->topic.data(), bytes.data() + 4);
  EXPECT_EQ(static_cast<const void*>(packet->payload.data()), bytes.data() + 7);
}

TEST(ReadPublish, JudgesQos3ByItself) {
  const std::string body = bytes_of("(a) 0001 {} 'x'");
  Frame frame;
  frame.type = PacketType::kPublish;
  frame.flags = 0x6;
  frame.body = as_bytes(body);
  const auto packet = read_publish(frame, Version::k5);
  ASSERT_FALSE(packet);
  EXPECT_THAT(packet.error().why, testing::HasSubstr("[MQTT-3.3.1-4]"));
}

TEST(ReadPublish, TakesTheLongestTopic) {
  const std::string topic(65'535, 't');
  const std::string bytes = bytes_of("30 {(" + topic + ") 'x'}");
  const auto packet = read_publish(frame_of(bytes).frame, Version::k311);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->topic, topic);
  EXPECT_EQ(as_text(packet->payload), "x");
}

TEST(ReadAuth, DoesNotExistBefore5) {
  Frame frame;
  frame.type = PacketType::kAuth;
  const auto packet = read_auth(frame, Version::k311);
  ASSERT_FALSE(packet);
  EXPECT_EQ(packet.error().code, ReasonCode::kMalformedPacket);
}

TEST(ReadSubscribe, KeepsTheOrderOfManyFilters) {
  std::string notation = "82 {0001";
  for (int i = 0; i < 500; ++i) notation += " (" + std::to_string(i) + ") 00";
  const std::string bytes = bytes_of(notation + "}");
  const auto packet = read_subscribe(frame_of(bytes).frame, Version::k311);
  ASSERT_TRUE(packet);
  ASSERT_EQ(packet->requests.size(), 500U);
  for (std::size_t i = 0; i < 500; ++i) EXPECT_EQ(packet->requests[i].filter, std::to_string(i));
}

}  // namespace
}  // namespace nightjar::mqtt
