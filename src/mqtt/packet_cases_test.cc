#include "mqtt/packet_cases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqtt/any_packet.h"

namespace nightjar::mqtt {
namespace {

constexpr std::size_t kNoLimit = 1 << 20;

class PacketCases : public testing::TestWithParam<PacketCase> {
 protected:
  // Frames and reads bytes as a peer of the case's version would send them.
  Parsed<AnyPacket> read(std::string_view bytes) {
    const FrameResult result = next_frame(as_bytes(bytes), kNoLimit, GetParam().version);
    if (result.state == FrameState::kInvalid) return tl::make_unexpected(result.violation);
    EXPECT_EQ(result.state, FrameState::kComplete);
    EXPECT_EQ(result.frame.size, bytes.size());
    // CONNECT has to state the version itself.
    if (result.frame.type == PacketType::kConnect)
      version_ = version_ == Version::k5 ? Version::k31 : Version::k5;
    return read_any(result.frame, version_, GetParam().sender);
  }

  Version version_ = GetParam().version;
  std::string bytes_ = bytes_of(GetParam().bytes);
};

TEST_P(PacketCases, ReadsAsStated) {
  const PacketCase& c = GetParam();
  const auto packet = read(bytes_);
  EXPECT_EQ(version_, c.version);
  if (c.outcome == Outcome::kRefused) {
    ASSERT_FALSE(packet) << "accepted as " << to_text(*packet);
    EXPECT_EQ(packet.error().code, c.code) << packet.error().why;
    EXPECT_THAT(packet.error().why, testing::HasSubstr(c.expected));
    return;
  }
  ASSERT_TRUE(packet) << packet.error().why;
  EXPECT_EQ(to_text(*packet), c.expected);
}

TEST_P(PacketCases, IsWrittenAsItWasRead) {
  const PacketCase& c = GetParam();
  if (c.outcome == Outcome::kRefused) return;
  const auto packet = read(bytes_);
  ASSERT_TRUE(packet) << packet.error().why;
  ByteBuffer written;
  write_any(written, c.version, *packet);
  if (c.outcome == Outcome::kCanonical) {
    EXPECT_EQ(as_text(written.view()), bytes_);
  } else {
    EXPECT_NE(as_text(written.view()), bytes_);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, PacketCases, testing::ValuesIn(packet_cases()),
                         [](const auto& test) { return std::string{test.param.name}; });

}  // namespace
}  // namespace nightjar::mqtt
