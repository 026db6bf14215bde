#include "base/bytes.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace nightjar {
namespace {

TEST(ByteView, ShowsTextAsBytesAndBack) {
  const std::string_view text = "caf\xc3\xa9";
  const ByteView bytes = as_bytes(text);
  ASSERT_EQ(bytes.size(), 5u);
  EXPECT_EQ(bytes[3], std::byte{0xc3});
  EXPECT_EQ(as_text(bytes), text);
  EXPECT_EQ(as_text(ByteView{}), "");
}

TEST(ByteBuffer, WritesIntegersInNetworkOrder) {
  ByteBuffer buffer;
  buffer.u8(0x01);
  buffer.u16(0x0203);
  buffer.u32(0x04050607);
  EXPECT_EQ(as_text(buffer.view()), "\x01\x02\x03\x04\x05\x06\x07");
}

TEST(ByteBuffer, AppendsAtTheBackAndConsumesAtTheFront) {
  ByteBuffer buffer;
  buffer.append("hello ");
  buffer.append("world");
  buffer.consume(6);
  EXPECT_EQ(as_text(buffer.view()), "world");
  EXPECT_EQ(buffer.size(), 5u);
  buffer.append("");
  buffer.append("!");
  EXPECT_EQ(as_text(buffer.view()), "world!");
}

TEST(ByteBuffer, HoldsNoMemoryBeforeItsFirstByteAndAfterRelease) {
  ByteBuffer buffer;
  EXPECT_EQ(buffer.capacity(), 0u);
  buffer.append("");
  EXPECT_EQ(buffer.capacity(), 0u);
  buffer.append("x");
  EXPECT_GT(buffer.capacity(), 0u);
  buffer.consume(1);
  EXPECT_TRUE(buffer.empty());
  EXPECT_GT(buffer.capacity(), 0u) << "kept for the next bytes";
  buffer.release();
  EXPECT_EQ(buffer.capacity(), 0u);
  buffer.append("again");
  EXPECT_EQ(as_text(buffer.view()), "again");
}

TEST(ByteBuffer, PreparesRoomThatCountsOnlyWhenCommitted) {
  ByteBuffer buffer;
  buffer.append("ab");
  std::byte* room = buffer.prepare(1000);
  std::memcpy(room, "cdef", 4);
  EXPECT_EQ(buffer.size(), 2u);
  buffer.commit(4);
  EXPECT_EQ(as_text(buffer.view()), "abcdef");
}

TEST(ByteBuffer, ReadsIntoRoomThatAnEmptiedBufferHasAtOnce) {
  ByteBuffer buffer;
  buffer.append(std::string(200, 'x'));
  const std::size_t capacity = buffer.capacity();
  buffer.consume(200);
  buffer.append(std::string(capacity, 'y'));
  EXPECT_EQ(buffer.capacity(), capacity) << "an emptied buffer starts from its front";
}

TEST(ByteBuffer, AQueueOfSteadyLengthDoesNotGrow) {
  ByteBuffer buffer;
  buffer.append(std::string(100, '.'));
  for (int i = 0; i < 10'000; ++i) {
    buffer.append("0123456789");
    buffer.consume(10);
  }
  EXPECT_EQ(buffer.size(), 100u);
  EXPECT_LE(buffer.capacity(), 1024u);
}

TEST(ByteBuffer, MovesItsBytes) {
  ByteBuffer first;
  first.append("first");
  ByteBuffer second(std::move(first));
  EXPECT_EQ(as_text(second.view()), "first");
  ByteBuffer third;
  third = std::move(second);
  EXPECT_EQ(as_text(third.view()), "first");
}

TEST(ByteBuffer, ClearForgetsTheBytesAndKeepsTheMemory) {
  ByteBuffer buffer;
  buffer.append("bytes");
  const std::size_t capacity = buffer.capacity();
  buffer.clear();
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.capacity(), capacity);
}

TEST(ByteBuffer, AgreesWithAStringUnderRandomUse) {
  std::mt19937 random(3);
  ByteBuffer buffer;
  std::string model;
  for (int step = 0; step < 5'000; ++step) {
    switch (random() % 5) {
      case 0:
      case 1: {
        const std::string text(random() % 300, static_cast<char>('a' + random() % 26));
        buffer.append(text);
        model += text;
        break;
      }
      case 2:
        buffer.u16(static_cast<std::uint16_t>(0x4142));
        model += "AB";
        break;
      default: {
        const std::size_t count = random() % (model.size() + 1);
        buffer.consume(count);
        model.erase(0, count);
      }
    }
    ASSERT_EQ(as_text(buffer.view()), model) << "step " << step;
    ASSERT_EQ(buffer.empty(), model.empty());
  }
}

}  // namespace
}  // namespace nightjar
