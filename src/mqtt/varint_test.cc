#include "mqtt/varint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "mqtt/types.h"

namespace nightjar::mqtt {
namespace {

using testing::ElementsAreArray;

Varint read(const std::vector<int>& bytes) {
  std::string text;
  for (const int byte : bytes) text += static_cast<char>(byte);
  return read_varint(as_bytes(text));
}

TEST(Varint, KnowsTheBoundsOfTable1_1) {
  struct Bound {
    std::uint32_t value;
    std::vector<int> bytes;
  };
  const Bound bounds[] = {
      {0, {0x00}},
      {127, {0x7F}},
      {128, {0x80, 0x01}},
      {16'383, {0xFF, 0x7F}},
      {16'384, {0x80, 0x80, 0x01}},
      {2'097'151, {0xFF, 0xFF, 0x7F}},
      {2'097'152, {0x80, 0x80, 0x80, 0x01}},
      {268'435'455, {0xFF, 0xFF, 0xFF, 0x7F}},
  };
  for (const Bound& bound : bounds) {
    SCOPED_TRACE(bound.value);
    EXPECT_EQ(varint_size(bound.value), bound.bytes.size());
    ByteBuffer out;
    append_varint(out, bound.value);
    std::vector<int> written;
    for (const std::byte byte : out.view()) written.push_back(std::to_integer<int>(byte));
    EXPECT_THAT(written, ElementsAreArray(bound.bytes));
    const Varint varint = read(bound.bytes);
    EXPECT_EQ(varint.state, VarintState::kComplete);
    EXPECT_EQ(varint.value, bound.value);
    EXPECT_EQ(varint.size, bound.bytes.size());
  }
}

TEST(Varint, WaitsForItsLastByte) {
  EXPECT_EQ(read({}).state, VarintState::kNeedMore);
  EXPECT_EQ(read({0x80}).state, VarintState::kNeedMore);
  EXPECT_EQ(read({0x80, 0x80}).state, VarintState::kNeedMore);
  EXPECT_EQ(read({0xFF, 0xFF, 0xFF}).state, VarintState::kNeedMore);
}

TEST(Varint, RefusesAFifthByteAsSoonAsTheFourthAnnouncesIt) {
  EXPECT_EQ(read({0xFF, 0xFF, 0xFF, 0xFF}).state, VarintState::kMalformed);
  EXPECT_EQ(read({0x80, 0x80, 0x80, 0x80, 0x01}).state, VarintState::kMalformed);
}

TEST(Varint, RefusesMoreBytesThanNeeded) {
  EXPECT_EQ(read({0x80, 0x00}).state, VarintState::kMalformed);
  EXPECT_EQ(read({0xFF, 0x00}).state, VarintState::kMalformed);
  EXPECT_EQ(read({0x80, 0x80, 0x00}).state, VarintState::kMalformed);
  EXPECT_EQ(read({0xFF, 0xFF, 0xFF, 0x00}).state, VarintState::kMalformed);
}

TEST(Varint, LeavesWhatFollows) {
  const Varint varint = read({0x80, 0x01, 0xFF});
  EXPECT_EQ(varint.value, 128U);
  EXPECT_EQ(varint.size, 2U);
}

RC_GTEST_PROP(VarintProperty, ReadsWhatItWrites, ()) {
  const auto value = *rc::gen::inRange<std::uint32_t>(0, kRemainingLengthMax + 1);
  ByteBuffer out;
  append_varint(out, value);
  RC_ASSERT(out.size() == varint_size(value));
  const Varint varint = read_varint(out.view());
  RC_ASSERT(varint.state == VarintState::kComplete);
  RC_ASSERT(varint.value == value);
  RC_ASSERT(varint.size == out.size());
}

}  // namespace
}  // namespace nightjar::mqtt
