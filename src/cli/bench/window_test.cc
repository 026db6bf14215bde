#include "cli/bench/window.h"

#include <gtest/gtest.h>

namespace nightjar::cli::bench {
namespace {

TEST(Window, OpensForAWholeChunkThatArrived) {
  Window window(16, 1, Spread::kEach);  // chunks of 4
  EXPECT_EQ(window.room(0), 16U);
  EXPECT_EQ(window.room(16), 0U);
  EXPECT_FALSE(window.advance(0, 3));
  EXPECT_EQ(window.room(16), 0U);
  EXPECT_TRUE(window.advance(3, 4));
  EXPECT_EQ(window.room(16), 4U);
  EXPECT_TRUE(window.advance(4, 16));
  EXPECT_EQ(window.room(16), 16U);
}

TEST(Window, WaitsForTheSlowestReceiver) {
  Window window(16, 3, Spread::kEach);
  EXPECT_FALSE(window.advance(0, 16));
  EXPECT_FALSE(window.advance(0, 9));
  EXPECT_EQ(window.room(16), 0U);
  EXPECT_TRUE(window.advance(0, 5));
  EXPECT_EQ(window.room(16), 4U);
  EXPECT_TRUE(window.advance(5, 16));
  EXPECT_EQ(window.room(16), 8U);
  EXPECT_TRUE(window.advance(9, 16));
  EXPECT_EQ(window.room(16), 16U);
}

TEST(Window, OfAGroupCountsWhatItsMembersGotTogether) {
  Window window(8, 1, Spread::kOne);  // chunks of 2
  EXPECT_FALSE(window.add(1));
  EXPECT_EQ(window.room(8), 0U);
  EXPECT_TRUE(window.add(1));
  EXPECT_EQ(window.room(8), 2U);
  EXPECT_TRUE(window.add(6));
  EXPECT_EQ(window.room(8), 8U);
}

TEST(Window, OfOneMessageOpensWithEachArrival) {
  Window window(1, 2, Spread::kEach);
  EXPECT_EQ(window.room(0), 1U);
  EXPECT_EQ(window.room(1), 0U);
  EXPECT_FALSE(window.advance(0, 1));
  EXPECT_TRUE(window.advance(0, 1));
  EXPECT_EQ(window.room(1), 1U);
}

TEST(Window, GivesUpWhatWillNotCome) {
  Window window(16, 1, Spread::kEach);
  window.advance(0, 4);
  window.give_up(20);
  EXPECT_EQ(window.room(20), 16U);
  // What comes after all does no harm.
  window.advance(4, 20);
  EXPECT_EQ(window.room(20), 16U);
}

}  // namespace
}  // namespace nightjar::cli::bench
