#include "cli/certificate_days.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace nightjar::cli {
namespace {

using testing::ElementsAre;

constexpr std::int64_t kDay = 24 * 3600;
constexpr std::int64_t kNow = 1'700'000'000;

TEST(DaysLeft, OnlyWholeDaysCount) {
  EXPECT_EQ(days_left(kNow + 30 * kDay, kNow), 30);
  EXPECT_EQ(days_left(kNow + 30 * kDay - 1, kNow), 29);
  EXPECT_EQ(days_left(kNow + kDay - 1, kNow), 0);
  EXPECT_EQ(days_left(kNow, kNow), 0);
  EXPECT_EQ(days_left(kNow - 1, kNow), -1);
  EXPECT_EQ(days_left(kNow - kDay - 1, kNow), -2);
}

// The clock runs from 40 days before the end of a certificate until 2 days behind it, an hour at a time.
TEST(ExpiryNotices, ComeAt30And7And1DaysAndAtTheEnd) {
  ExpiryNotices notices;
  const std::int64_t end = kNow + 40 * kDay;
  std::vector<std::int64_t> said;
  for (std::int64_t now = kNow; now < end + 2 * kDay; now += 3600) {
    const std::int64_t left = days_left(end, now);
    if (notices.is_due("pump7", left)) said.push_back(left);
  }
  EXPECT_THAT(said, ElementsAre(29, 6, 0, -1));
}

TEST(ExpiryNotices, WhoComesLateHearsTheNearestOnly) {
  ExpiryNotices notices;
  EXPECT_TRUE(notices.is_due("pump7", 5));
  EXPECT_FALSE(notices.is_due("pump7", 5));
  EXPECT_FALSE(notices.is_due("pump7", 20)) << "a clock that was set back repeats nothing";
  EXPECT_TRUE(notices.is_due("pump8", 5)) << "another certificate has its own";
  EXPECT_FALSE(notices.is_due("pump9", 30));
}

TEST(ClientCertificates, EachIsCountedWhereverItBelongs) {
  ClientCertificates all;
  for (const std::int64_t left : {300, 30, 29, 7, 6, 1, 0, -1, -50}) all.count(left);
  const ClientCertificates expected{
      .connected = 9, .end_within_30_days = 5, .end_within_7_days = 3, .end_within_1_day = 1, .expired = 2};
  EXPECT_EQ(all, expected);
  ClientCertificates twice = all;
  twice += all;
  EXPECT_EQ(twice.connected, 18u);
  EXPECT_EQ(twice.end_within_30_days, 10u);
  EXPECT_EQ(twice.end_within_7_days, 6u);
  EXPECT_EQ(twice.end_within_1_day, 2u);
  EXPECT_EQ(twice.expired, 4u);
}

}  // namespace
}  // namespace nightjar::cli
