#include "broker/retained/replay_share.h"

#include <gtest/gtest.h>

namespace nightjar::broker {
namespace {

constexpr MonoTime kStart{5'000};
constexpr MonoTime kLongAgo{0};

std::int64_t visits_of(ReplayShare& share) {
  std::int64_t visits = 0;
  for (; !share.is_used_up(); visits += 32 + ReplayShare::kVisitsOfARead) share.take(32);
  return visits;
}

TEST(ReplayShare, FillsEveryTurnWhenNobodyPublishes) {
  ReplayShare share;
  for (int turn = 0; turn < 3; ++turn) {
    ASSERT_TRUE(share.renew(kStart, kLongAgo));
    EXPECT_EQ(share.next(), kStart) << "no pause";
    EXPECT_GE(visits_of(share), ReplayShare::kVisitsAlone);
  }
}

TEST(ReplayShare, IsGivenOnceAMillisecondWhileSomebodyPublishes) {
  ReplayShare share;
  ASSERT_TRUE(share.renew(kStart, kStart));
  EXPECT_LT(visits_of(share), 2 * ReplayShare::kVisitsBeside);
  EXPECT_FALSE(share.renew(kStart, kStart));
  EXPECT_TRUE(share.is_used_up());
  EXPECT_EQ(share.next(), kStart + Duration{1});
  EXPECT_TRUE(share.renew(kStart + Duration{1}, kStart));
  EXPECT_FALSE(share.is_used_up());
}

TEST(ReplayShare, IsSmallUntilThePublisherHasBeenQuiet) {
  ReplayShare share;
  ASSERT_TRUE(share.renew(kStart + ReplayShare::kAtWork, kStart));
  EXPECT_LT(visits_of(share), 2 * ReplayShare::kVisitsBeside);
  ASSERT_TRUE(share.renew(kStart + ReplayShare::kAtWork + Duration{1}, kStart));
  EXPECT_GE(visits_of(share), ReplayShare::kVisitsAlone);
}

}  // namespace
}  // namespace nightjar::broker
