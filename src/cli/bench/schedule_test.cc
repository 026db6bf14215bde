#include "cli/bench/schedule.h"

#include <gtest/gtest.h>

namespace nightjar::cli::bench {
namespace {

constexpr Nanoseconds kBegin = 1'000'000'000'000;

TEST(Schedule, SpacesMessagesEvenly) {
  const Schedule schedule(kBegin, 1000, 0);
  EXPECT_EQ(schedule.due(0), kBegin);
  EXPECT_EQ(schedule.due(1), kBegin + kMillisecond);
  EXPECT_EQ(schedule.due(5000), kBegin + 5 * kSecond);
}

TEST(Schedule, StaysExactAfterADay) {
  const Schedule schedule(kBegin, 20'000, 0);
  constexpr std::uint64_t kDay = 86'400;
  EXPECT_NEAR(static_cast<double>(schedule.due(kDay * 20'000) - kBegin), static_cast<double>(kDay * kSecond),
              1000.0);
}

TEST(Schedule, RampsEvenlyUpToTheRate) {
  // In 10 s from 0 to 1000 a second: 5000 messages, a quarter of them in the first half.
  const Schedule schedule(kBegin, 1000, 10 * kSecond);
  EXPECT_EQ(schedule.due(0), kBegin);
  EXPECT_NEAR(to_seconds(schedule.due(1250) - kBegin), 5, 1e-6);
  EXPECT_NEAR(to_seconds(schedule.due(5000) - kBegin), 10, 1e-6);
  EXPECT_NEAR(to_seconds(schedule.due(6000) - kBegin), 11, 1e-6);
}

TEST(Schedule, NeverGoesBack) {
  const Schedule schedule(kBegin, 777, 3 * kSecond);
  for (std::uint64_t i = 1; i < 5000; ++i) ASSERT_LE(schedule.due(i - 1), schedule.due(i));
}

}  // namespace
}  // namespace nightjar::cli::bench
