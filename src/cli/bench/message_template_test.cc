#include "cli/bench/message_template.h"

#include <gtest/gtest.h>

#include <array>
#include <tuple>
#include <vector>

#include "cli/bench/packet_scan.h"
#include "mqtt/reader.h"

namespace nightjar::cli::bench {
namespace {

using mqtt::Qos;
using mqtt::Version;

constexpr std::uint32_t kRun = 0xC0FFEE;
constexpr Identity kIdentity{.stream = 70'000, .sequence = 5'000'000'000, .time = 123'456'789'012};

std::vector<std::byte> written(const MessageTemplate& message) {
  std::vector<std::byte> packet(message.size());
  message.write(packet.data(), kIdentity, kRun, 0x1234);
  return packet;
}

using Form = std::tuple<Version, Qos, std::size_t>;

class EveryForm : public testing::TestWithParam<Form> {};

TEST_P(EveryForm, IsAPublishThatSaysWhoSentIt) {
  const auto [version, qos, size] = GetParam();
  MessageTemplate message({.version = version, .qos = qos, .topic = "a/topic", .payload_bytes = size});
  message.set_topic("b/other");
  const std::vector<std::byte> packet = written(message);

  const auto framed = mqtt::next_frame(packet, packet.size(), version);
  ASSERT_EQ(framed.state, mqtt::FrameState::kComplete);
  const auto publish = mqtt::read_publish(framed.frame, version);
  ASSERT_TRUE(publish);
  EXPECT_EQ(publish->topic, "b/other");
  EXPECT_EQ(publish->qos, qos);
  EXPECT_FALSE(publish->retain);
  if (qos != Qos::kAtMostOnce) {
    EXPECT_EQ(publish->packet_id.value, 0x1234);
  }
  ASSERT_EQ(publish->payload.size(), size);
  Identity identity;
  EXPECT_TRUE(read_identity(publish->payload, kRun, identity));
  EXPECT_EQ(identity.stream, kIdentity.stream);
  EXPECT_EQ(identity.sequence, kIdentity.sequence);
  EXPECT_EQ(identity.time, kIdentity.time);
}

TEST_P(EveryForm, IsScannedLikeItIsRead) {
  const auto [version, qos, size] = GetParam();
  const MessageTemplate message({.version = version, .qos = qos, .topic = "a/topic", .payload_bytes = size});
  const std::vector<std::byte> packet = written(message);
  // However much of it has arrived, the scan either waits or finds the same.
  for (std::size_t arrived = 0; arrived <= packet.size(); arrived += arrived < 40 ? 1 : 1000) {
    const ByteView in = ByteView{packet}.first(arrived);
    const ScannedPacket scanned = scan_packet(in);
    ASSERT_NE(scanned.state, ScanState::kMalformed);
    if (scanned.header_bytes == 0) continue;
    EXPECT_EQ(scanned.size, packet.size());
    ScannedPublish publish;
    const ScanState state = scan_publish(in, scanned, version == Version::k5, publish);
    ASSERT_NE(state, ScanState::kMalformed);
    if (state != ScanState::kComplete) continue;
    EXPECT_EQ(publish.payload_at, packet.size() - size);
    EXPECT_EQ(publish.qos, static_cast<std::uint8_t>(qos));
    if (qos != Qos::kAtMostOnce) {
      EXPECT_EQ(publish.packet_id, 0x1234);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(MessageTemplate, EveryForm,
                         testing::Combine(testing::Values(Version::k31, Version::k311, Version::k5),
                                          testing::Values(Qos::kAtMostOnce, Qos::kAtLeastOnce,
                                                          Qos::kExactlyOnce),
                                          testing::Values(kIdentityBytes, kCheckedBytes, 64, 100'000)));

TEST(Identity, OfAnotherRunIsForeign) {
  std::vector<std::byte> payload(64);
  write_identity(payload.data(), payload.size(), kIdentity, kRun);
  Identity identity;
  EXPECT_TRUE(read_identity(payload, kRun, identity));
  EXPECT_FALSE(read_identity(payload, kRun + 1, identity));
}

TEST(Identity, ShowsEveryDamagedByte) {
  for (std::size_t i = 0; i < kCheckedBytes; ++i) {
    std::vector<std::byte> payload(64);
    write_identity(payload.data(), payload.size(), kIdentity, kRun);
    payload[i] ^= std::byte{0x10};
    Identity identity;
    EXPECT_FALSE(read_identity(payload, kRun, identity)) << "byte " << i;
  }
}

TEST(PacketScan, RefusesALengthOfFiveBytes) {
  const std::vector<std::byte> bytes(6, std::byte{0xFF});
  EXPECT_EQ(scan_packet(bytes).state, ScanState::kMalformed);
}

TEST(PacketScan, RefusesATopicLongerThanItsPacket) {
  const std::array bytes{std::byte{0x30}, std::byte{4},   std::byte{0},
                         std::byte{9},    std::byte{'a'}, std::byte{'b'}};
  const ScannedPacket packet = scan_packet(bytes);
  ASSERT_EQ(packet.state, ScanState::kComplete);
  ScannedPublish publish;
  EXPECT_EQ(scan_publish(bytes, packet, false, publish), ScanState::kMalformed);
}

TEST(PacketScan, SkipsTheProperties) {
  // Topic "a", a property list of three bytes, payload "x".
  const std::array bytes{std::byte{0x30}, std::byte{8},    std::byte{0}, std::byte{1}, std::byte{'a'},
                         std::byte{3},    std::byte{0x23}, std::byte{0}, std::byte{1}, std::byte{'x'}};
  const ScannedPacket packet = scan_packet(bytes);
  ScannedPublish publish;
  ASSERT_EQ(scan_publish(bytes, packet, true, publish), ScanState::kComplete);
  EXPECT_EQ(publish.payload_at, 9U);
}

}  // namespace
}  // namespace nightjar::cli::bench
