#include "base/spare_buffers.h"

#include <gtest/gtest.h>

#include <string>

namespace nightjar {
namespace {

ByteBuffer used(std::size_t bytes) {
  ByteBuffer buffer;
  buffer.append(std::string(bytes, 'x'));
  buffer.clear();
  return buffer;
}

TEST(SpareBuffers, HandsOnTheMemoryOfAnEmptyBuffer) {
  SpareBuffers spares;
  ByteBuffer first = used(1000);
  const std::byte* memory = first.data();
  spares.take_back(first);
  EXPECT_EQ(first.capacity(), 0u);
  ByteBuffer second;
  spares.lend(second);
  EXPECT_EQ(second.data(), memory);
  EXPECT_TRUE(second.empty());
  EXPECT_EQ(spares.bytes(), 0u);
}

TEST(SpareBuffers, LendsNothingWhenThereIsNone) {
  SpareBuffers spares;
  ByteBuffer buffer;
  spares.lend(buffer);
  EXPECT_EQ(buffer.capacity(), 0u);
  spares.take_back(buffer);
  EXPECT_EQ(spares.bytes(), 0u);
}

TEST(SpareBuffers, KeepsNeitherGiantsNorTooMany) {
  SpareBuffers spares;
  ByteBuffer giant = used(SpareBuffers::kBufferBytesMax + 1);
  spares.take_back(giant);
  EXPECT_EQ(spares.bytes(), 0u);
  EXPECT_EQ(giant.capacity(), 0u);
  for (int i = 0; i < 100; ++i) {
    ByteBuffer large = used(SpareBuffers::kBufferBytesMax / 2 + 1);
    spares.take_back(large);
  }
  EXPECT_LE(spares.bytes(), SpareBuffers::kBytesMax);
  EXPECT_GT(spares.bytes(), SpareBuffers::kBytesMax / 2);
  spares.clear();
  EXPECT_EQ(spares.bytes(), 0u);
}

}  // namespace
}  // namespace nightjar
