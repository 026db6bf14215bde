#include "base/keyed_hash.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <set>
#include <string>

namespace nightjar {
namespace {

TEST(KeyedHash, DependsOnEveryByte) {
  for (std::size_t size = 1; size <= 70; ++size) {
    const std::string text(size, 'x');
    std::set<std::uint64_t> seen{keyed_hash(text, 1)};
    for (std::size_t i = 0; i < size; ++i) {
      std::string other = text;
      other[i] = 'y';
      EXPECT_TRUE(seen.insert(keyed_hash(other, 1)).second) << "byte " << i << " of " << size;
    }
  }
}

TEST(KeyedHash, DependsOnTheLength) {
  std::set<std::uint64_t> seen;
  for (std::size_t size = 0; size <= 100; ++size)
    EXPECT_TRUE(seen.insert(keyed_hash(std::string(size, '\0'), 1)).second);
}

TEST(KeyedHash, DependsOnTheKeyAndOnNothingElse) {
  EXPECT_NE(keyed_hash("sensor", 1), keyed_hash("sensor", 2));
  const std::string text = "xxsensor";
  EXPECT_EQ(keyed_hash("sensor", 1), keyed_hash(std::string_view(text).substr(2), 1));
}

TEST(KeyedHash, SpreadsNumberedNamesOverEveryBit) {
  constexpr int kNames = 4096;
  std::array<int, 64> ones{};
  for (int i = 0; i < kNames; ++i) {
    const std::uint64_t hash = keyed_hash("device" + std::to_string(i), 42);
    for (unsigned b = 0; b < 64; ++b) ones[b] += static_cast<int>(hash >> b & 1);
  }
  for (unsigned b = 0; b < 64; ++b) {
    EXPECT_GT(ones[b], kNames * 4 / 10) << "bit " << b;
    EXPECT_LT(ones[b], kNames * 6 / 10) << "bit " << b;
  }
}

TEST(KeyedHash, AChangedBitChangesHalfOfTheResult) {
  int changed = 0;
  int trials = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string text = "topic level " + std::to_string(i);
    for (std::size_t b = 0; b < text.size() * 8; ++b, ++trials) {
      std::string other = text;
      other[b / 8] = static_cast<char>(other[b / 8] ^ (1 << (b % 8)));
      changed += std::popcount(keyed_hash(text, 9) ^ keyed_hash(other, 9));
    }
  }
  const double mean = static_cast<double>(changed) / trials;
  EXPECT_GT(mean, 31);
  EXPECT_LT(mean, 33);
}

}  // namespace
}  // namespace nightjar
