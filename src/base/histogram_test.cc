#include "base/histogram.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace nightjar {
namespace {

TEST(Histogram, IsExactForSmallValues) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.record(value);
  EXPECT_EQ(histogram.at(0.50), 50U);
  EXPECT_EQ(histogram.at(0.99), 99U);
  EXPECT_EQ(histogram.at(1), 100U);
  EXPECT_EQ(histogram.at(0), 1U);
  EXPECT_DOUBLE_EQ(histogram.mean(), 50.5);
}

TEST(Histogram, IsOffByLessThanOnePercentAnywhere) {
  for (std::uint64_t value = 1; value < (std::uint64_t{1} << 43U); value = value * 5 / 4 + 1) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(value * 2);  // or else the largest value, which is kept, would bound the answer
    const std::uint64_t found = histogram.at(0.5);
    ASSERT_GE(found, value);
    ASSERT_LE(static_cast<double>(found - value), 0.008 * static_cast<double>(value)) << value;
  }
}

TEST(Histogram, KeepsLeastAndGreatestAsTheyAre) {
  Histogram histogram;
  histogram.record(123'456'789);
  histogram.record(1'000'003, 5);
  EXPECT_EQ(histogram.min(), 1'000'003U);
  EXPECT_EQ(histogram.max(), 123'456'789U);
  EXPECT_EQ(histogram.at(1), 123'456'789U);
  EXPECT_EQ(histogram.count(), 6U);
}

TEST(Histogram, HasRoomForEveryValue) {
  Histogram histogram;
  histogram.record(UINT64_MAX);
  histogram.record(std::uint64_t{1} << 44U);
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.at(0.99), UINT64_MAX);
}

TEST(Histogram, AddsUpLikeOne) {
  Histogram one;
  Histogram two;
  Histogram all;
  for (std::uint64_t value = 0; value < 10'000; value += 7) {
    (value % 2 == 0 ? one : two).record(value * value);
    all.record(value * value);
  }
  one.add(two);
  EXPECT_EQ(one.count(), all.count());
  EXPECT_EQ(one.min(), all.min());
  for (const double quantile : {0.1, 0.5, 0.9, 0.999}) EXPECT_EQ(one.at(quantile), all.at(quantile));
}

TEST(Histogram, IsZeroWithoutValues) {
  Histogram histogram;
  histogram.record(17);
  histogram.clear();
  EXPECT_TRUE(histogram.empty());
  EXPECT_EQ(histogram.at(0.5), 0U);
  EXPECT_EQ(histogram.min(), 0U);
  EXPECT_EQ(histogram.max(), 0U);
  EXPECT_EQ(histogram.mean(), 0);
}

}  // namespace
}  // namespace nightjar
