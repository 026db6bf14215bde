// Properties of reader and writer together, over the packet cases and over random packets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "mqtt/any_packet.h"
#include "mqtt/packet_cases.h"
#include "mqtt/topic.h"
#include "mqtt/utf8.h"

namespace nightjar::mqtt {
namespace {

constexpr std::size_t kNoLimit = 1 << 20;

// Reads whatever the front of `bytes` holds. An accepted packet, written and read again, must stay the same.
// The bytes are copied into memory of exactly their size, so that a sanitizer sees any access beyond.
FrameState read_and_rewrite(std::string_view bytes, Version version, Sender sender) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  const FrameResult result = next_frame(as_bytes({exact.data(), exact.size()}), kNoLimit, version);
  if (result.state == FrameState::kInvalid) {
    EXPECT_FALSE(result.violation.why.empty());
    return result.state;
  }
  if (result.state == FrameState::kNeedMore) {
    EXPECT_TRUE(result.needed == 0 || result.needed > bytes.size());
    return result.state;
  }
  Version read_version = version;
  auto packet = read_any(result.frame, read_version, sender);
  if (!packet) {
    EXPECT_GE(packet.error().code, ReasonCode::kUnspecifiedError);
    EXPECT_FALSE(packet.error().why.empty());
    return FrameState::kInvalid;
  }
  if (auto* connect = std::get_if<Connect>(&*packet)) connect->is_bridge = false;  // has no written form
  ByteBuffer written;
  write_any(written, read_version, *packet);
  const FrameResult again = next_frame(written.view(), kNoLimit, read_version);
  EXPECT_EQ(again.state, FrameState::kComplete);
  EXPECT_EQ(again.frame.size, written.size());
  const auto second = read_any(again.frame, read_version, sender);
  EXPECT_TRUE(second.has_value()) << to_text(*packet);
  if (second) {
    EXPECT_EQ(to_text(*second), to_text(*packet));
  }
  return FrameState::kComplete;
}

TEST(Codec, WaitsForMoreOfEveryCutPacket) {
  for (const PacketCase& c : packet_cases()) {
    if (c.outcome == Outcome::kRefused) continue;
    SCOPED_TRACE(c.name);
    const std::string bytes = bytes_of(c.bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_EQ(read_and_rewrite(bytes.substr(0, size), c.version, c.sender), FrameState::kNeedMore);
    }
  }
}

// The body cut short, with a Remaining Length that agrees: refused, or another valid packet.
TEST(Codec, SurvivesEveryShortenedBody) {
  for (const PacketCase& c : packet_cases()) {
    SCOPED_TRACE(c.name);
    const std::string bytes = bytes_of(c.bytes);
    const FrameResult whole = next_frame(as_bytes(bytes), kNoLimit, c.version);
    if (whole.state != FrameState::kComplete) continue;
    const std::string body{as_text(whole.frame.body)};
    for (std::size_t size = 0; size < body.size(); ++size) {
      const std::string cut = bytes[0] + detail::length_prefix(size) + body.substr(0, size);
      ASSERT_NE(read_and_rewrite(cut, c.version, c.sender), FrameState::kNeedMore);
    }
  }
}

TEST(Codec, SurvivesEveryCaseInEveryVersion) {
  for (const PacketCase& c : packet_cases()) {
    SCOPED_TRACE(c.name);
    for (const Version version : {Version::k31, Version::k311, Version::k5}) {
      for (const Sender sender : {Sender::kClient, Sender::kServer}) {
        read_and_rewrite(bytes_of(c.bytes), version, sender);
      }
    }
  }
}

RC_GTEST_PROP(CodecProperty, SurvivesChangedBytes, ()) {
  static const std::vector<PacketCase> kCases = packet_cases();
  const PacketCase c = *rc::gen::elementOf(kCases);
  std::string bytes = bytes_of(c.bytes);
  const auto changes = *rc::gen::inRange(1, 4);
  for (int i = 0; i < changes; ++i) {
    const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size());
    bytes[at] = *rc::gen::arbitrary<char>();
  }
  read_and_rewrite(bytes, c.version, c.sender);
  RC_ASSERT(!testing::Test::HasFailure());
}

RC_GTEST_PROP(CodecProperty, SurvivesAnyBytes, ()) {
  const auto bytes = *rc::gen::arbitrary<std::string>();
  const auto version = *rc::gen::element(Version::k31, Version::k311, Version::k5);
  read_and_rewrite(bytes, version, Sender::kClient);
  RC_ASSERT(!testing::Test::HasFailure());
}

// Random packets from here on: strings of one to four bytes a character, and the empty one.
std::string text() {
  const std::vector<std::string> characters{"a", "b", "/", " ", "\x7F", "é", "€", "\xF0\x9F\x8D\x95"};
  std::string joined;
  for (const auto& c : *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(characters)))
    joined += c;
  return joined;
}
std::string topic() { return text() + "t"; }
std::string binary() { return *rc::gen::arbitrary<std::string>(); }
bool coin() { return *rc::gen::arbitrary<bool>(); }
Qos any_qos() { return *rc::gen::element(Qos::kAtMostOnce, Qos::kAtLeastOnce, Qos::kExactlyOnce); }
PacketId any_packet_id() { return {*rc::gen::inRange<std::uint16_t>(1, 0xFFFF)}; }
Version any_version() { return *rc::gen::element(Version::k31, Version::k311, Version::k5); }

// Some of the properties that a PUBLISH and a will share, encoded.
void add_message_properties(PropertyWriter& writer) {
  if (coin()) writer.u8(PropertyId::kPayloadFormatIndicator, coin() ? 1 : 0);
  if (coin()) writer.u32(PropertyId::kMessageExpiryInterval, *rc::gen::arbitrary<std::uint32_t>());
  if (coin()) writer.text(PropertyId::kContentType, text());
  if (coin()) writer.text(PropertyId::kResponseTopic, topic());
  if (coin()) writer.binary(PropertyId::kCorrelationData, as_bytes(binary()));
  for (int i = *rc::gen::inRange(0, 3); i > 0; --i) writer.user(text(), text());
}

FrameResult only_frame_of(const ByteBuffer& bytes, Version version) {
  const FrameResult result = next_frame(bytes.view(), kNoLimit, version);
  RC_ASSERT(result.state == FrameState::kComplete);
  RC_ASSERT(result.frame.size == bytes.size());
  return result;
}

RC_GTEST_PROP(CodecProperty, ReadsEveryPublishItWrites, ()) {
  const Version version = any_version();
  ByteBuffer properties;
  PropertyWriter writer{properties};
  add_message_properties(writer);
  const std::string name = topic();
  const std::string payload = binary();
  PublishOut out{.qos = any_qos(),
                 .retain = coin(),
                 .topic = name,
                 .properties = properties.view(),
                 .payload = as_bytes(payload)};
  if (out.qos != Qos::kAtMostOnce) {
    out.dup = coin();
    out.packet_id = any_packet_id();
  }
  ByteBuffer bytes;
  write_publish(bytes, version, out);
  RC_ASSERT(bytes.size() == publish_size(version, out));
  const auto packet = read_publish(only_frame_of(bytes, version).frame, version);
  RC_ASSERT(packet.has_value());
  RC_ASSERT(packet->dup == out.dup);
  RC_ASSERT(packet->qos == out.qos);
  RC_ASSERT(packet->retain == out.retain);
  RC_ASSERT(packet->packet_id == out.packet_id);
  RC_ASSERT(packet->topic == name);
  RC_ASSERT(as_text(packet->payload) == payload);
  const std::string_view kept = version == Version::k5 ? as_text(properties.view()) : std::string_view{};
  RC_ASSERT(as_text(packet->properties.raw) == kept);
}

RC_GTEST_PROP(CodecProperty, ReadsEveryConnectItWrites, ()) {
  const Version version = any_version();
  ByteBuffer properties;
  PropertyWriter writer{properties};
  if (coin()) writer.u32(PropertyId::kSessionExpiryInterval, *rc::gen::arbitrary<std::uint32_t>());
  if (coin()) writer.u16(PropertyId::kReceiveMaximum, *rc::gen::inRange<std::uint16_t>(1, 0xFFFF));
  if (coin()) writer.user(text(), text());
  ByteBuffer will_properties;
  PropertyWriter will_writer{will_properties};
  if (coin()) will_writer.u32(PropertyId::kWillDelayInterval, *rc::gen::arbitrary<std::uint32_t>());
  add_message_properties(will_writer);
  const std::string client_id = text();
  const std::string will_topic = topic();
  const std::string will_payload = binary();
  const std::string user_name = text();
  const std::string password = binary();
  const ConnectOut out{.version = version,
                       .clean_start = coin(),
                       .keep_alive_s = *rc::gen::arbitrary<std::uint16_t>(),
                       .client_id = client_id,
                       .has_will = coin(),
                       .will_topic = will_topic,
                       .will_payload = as_bytes(will_payload),
                       .will_qos = any_qos(),
                       .will_retain = coin(),
                       .will_properties = will_properties.view(),
                       .has_user_name = true,
                       .user_name = user_name,
                       .has_password = coin(),
                       .password = as_bytes(password),
                       .properties = properties.view()};
  ByteBuffer bytes;
  write_connect(bytes, out);
  Version read_version = Version::k311;
  const auto packet = read_connect(only_frame_of(bytes, version).frame, read_version);
  RC_ASSERT(packet.has_value());
  RC_ASSERT(read_version == version);
  RC_ASSERT(packet->clean_start == out.clean_start);
  RC_ASSERT(packet->keep_alive_s == out.keep_alive_s);
  RC_ASSERT(packet->client_id == client_id);
  RC_ASSERT(packet->user_name == user_name);
  RC_ASSERT(packet->has_password == out.has_password);
  RC_ASSERT(as_text(packet->password) == (out.has_password ? password : ""));
  RC_ASSERT(packet->has_will == out.has_will);
  if (!out.has_will) return;
  RC_ASSERT(packet->will.topic == will_topic);
  RC_ASSERT(as_text(packet->will.payload) == will_payload);
  RC_ASSERT(packet->will.qos == out.will_qos);
  RC_ASSERT(packet->will.retain == out.will_retain);
  const std::string_view kept = version == Version::k5 ? as_text(will_properties.view()) : std::string_view{};
  RC_ASSERT(as_text(packet->will.properties.raw) == kept);
}

RC_GTEST_PROP(CodecProperty, ReadsEverySubscribeItWrites, ()) {
  const Version version = any_version();
  std::vector<std::string> filters;
  for (int i = *rc::gen::inRange(1, 6); i > 0; --i) filters.push_back(topic());
  std::vector<SubscriptionRequest> requests;
  for (const std::string& filter : filters) {
    requests.push_back({.filter = filter, .qos = any_qos()});
    if (version != Version::k5) continue;
    requests.back().no_local = coin();
    requests.back().retain_as_published = coin();
    requests.back().retain_handling =
        *rc::gen::element(RetainHandling::kSend, RetainHandling::kSendIfNew, RetainHandling::kDoNotSend);
  }
  const PacketId id = any_packet_id();
  ByteBuffer bytes;
  write_subscribe(bytes, version, id, requests);
  const auto packet = read_subscribe(only_frame_of(bytes, version).frame, version);
  RC_ASSERT(packet.has_value());
  RC_ASSERT(packet->packet_id == id);
  RC_ASSERT(packet->requests.size() == requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    RC_ASSERT(packet->requests[i].filter == requests[i].filter);
    RC_ASSERT(packet->requests[i].qos == requests[i].qos);
    RC_ASSERT(packet->requests[i].no_local == requests[i].no_local);
    RC_ASSERT(packet->requests[i].retain_as_published == requests[i].retain_as_published);
    RC_ASSERT(packet->requests[i].retain_handling == requests[i].retain_handling);
  }
}

}  // namespace
}  // namespace nightjar::mqtt
