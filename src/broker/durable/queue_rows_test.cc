#include "broker/durable/queue_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nightjar::broker {
namespace {

constexpr CommitPoint at(std::uint16_t origin, CommitNumber number) { return {{origin}, number}; }

struct QueueRowsTest : testing::Test {
  // A row of `count` entries from `row` on, 100 bytes each.
  QueueRows::Noted add(std::uint64_t row, std::uint64_t count, CommitPoint commit) {
    return rows.add(row, {.count = count, .bytes = 100 * count, .last_sequence = row + count - 1}, commit);
  }
  QueueRows rows;
};

TEST_F(QueueRowsTest, RowsAreCountedTogetherUntilAStretchIsFull) {
  EXPECT_EQ(add(1, 40, at(0, 1)).record.count, 40U);
  const auto second = add(41, 40, at(0, 2));
  EXPECT_EQ(second.stretch, 1U);
  EXPECT_EQ(second.record.count, 80U);
  EXPECT_EQ(second.record.bytes, 8000U);
  EXPECT_EQ(second.record.last_sequence, 80U);
  const auto third = add(81, 1, at(0, 3));
  EXPECT_EQ(third.stretch, 81U);
  EXPECT_EQ(third.record.count, 1U);
}

TEST_F(QueueRowsTest, LargeMessagesFillAStretchByTheirBytes) {
  rows.add(1, {.count = 1, .bytes = QueueRows::kBytesMax, .last_sequence = 1}, at(0, 1));
  EXPECT_EQ(add(2, 1, at(0, 2)).stretch, 2U);
}

TEST_F(QueueRowsTest, EachOriginHasItsOwnCount) {
  add(1, 2, at(0, 1));
  const auto other = add(3, 5, at(1, 1));
  EXPECT_EQ(other.stretch, 1U);
  EXPECT_EQ(other.record.count, 5U) << "its commit may be durable without the first";
  EXPECT_EQ(add(8, 1, at(0, 2)).record.count, 3U);
}

TEST_F(QueueRowsTest, ACommitThatComesLateIsCountedElsewhere) {
  add(1, 1, at(0, 6));
  const auto late = add(2, 1, at(0, 5));
  EXPECT_EQ(late.stretch, 2U) << "durable before the count that the first has brought";
  EXPECT_EQ(late.record.count, 1U);
}

TEST_F(QueueRowsTest, ARowInFrontOfTheLastStretchIsOneByItself) {
  add(1, 64, at(0, 1));
  add(70, 1, at(0, 2));
  const auto late = add(68, 2, at(1, 1));
  EXPECT_EQ(late.stretch, 68U);
  EXPECT_EQ(late.record.count, 2U);
  const auto next = add(71, 1, at(0, 3));
  EXPECT_EQ(next.stretch, 70U) << "the last one goes on";
  EXPECT_EQ(next.record.count, 2U);
}

TEST_F(QueueRowsTest, AStretchGoesWhenAllOfItIsDoneWith) {
  add(1, 40, at(0, 1));
  add(41, 40, at(0, 2));
  add(81, 10, at(0, 3));
  EXPECT_FALSE(rows.reclaim(80)) << "its last entry counts";
  const auto gone = rows.reclaim(81);
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->first, 1U);
  EXPECT_EQ(gone->end, 81U);
  EXPECT_FALSE(gone->is_one_row);
  EXPECT_FALSE(rows.empty());
  EXPECT_TRUE(rows.reclaim(UINT64_MAX));
  EXPECT_TRUE(rows.empty());
}

TEST_F(QueueRowsTest, ASingleRowIsNamed) {
  add(7, 1, at(0, 1));
  const auto gone = rows.reclaim(UINT64_MAX);
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->first, 7U);
  EXPECT_TRUE(gone->is_one_row);
}

TEST_F(QueueRowsTest, WhatIsGoneLeavesOutWhatBeginsBeforeItsEnd) {
  rows.restore(1, 1);
  rows.restore(5, 9);
  rows.restore(7, 12);
  const auto gone = rows.reclaim(10);
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->first, 1U);
  EXPECT_EQ(gone->end, 7U);
}

TEST_F(QueueRowsTest, AfterARestartAStretchTakesNoMore) {
  rows.restore(1, 3);
  const auto next = add(4, 1, at(0, 1));
  EXPECT_EQ(next.stretch, 4U) << "what it held is not known any more";
}

TEST_F(QueueRowsTest, ReadingBeginsAtTheStretchOfAnEntry) {
  rows.restore(10, 19);
  rows.restore(20, 25);
  EXPECT_EQ(rows.row_before(15), 10U);
  EXPECT_EQ(rows.row_before(20), 20U);
  EXPECT_EQ(rows.row_before(99), 20U);
  EXPECT_EQ(rows.row_before(5), 5U);
  EXPECT_EQ(QueueRows{}.row_before(5), 5U);
}

TEST_F(QueueRowsTest, TurnsBetweenPartsEndAStint) {
  const auto first = rows.stint(10);
  EXPECT_EQ(rows.stint(10), first);
  const auto second = rows.stint(11);
  EXPECT_NE(second, first);
  EXPECT_NE(rows.stint(10), first) << "part 11 has what comes between";
}

}  // namespace
}  // namespace nightjar::broker
