#include "broker/routing/reclaimer.h"

#include <gtest/gtest.h>

namespace nightjar::broker {
namespace {

constexpr WorkerIndex kFirst{0};
constexpr WorkerIndex kSecond{1};
constexpr std::size_t kBytes = 100;

class ReclaimerTest : public ::testing::Test {
 protected:
  void retire_one() { memory_.retire(memory_.allocate(kBytes), kBytes); }
  std::size_t blocks_after_collect() {
    memory_.collect(SIZE_MAX);
    return memory_.bytes() / kBytes;
  }
  Reclaimer memory_{2};
};

TEST_F(ReclaimerTest, KeepsABlockUntilEveryWorkerHasPassedAQuiescentState) {
  memory_.quiescent(kFirst);
  memory_.quiescent(kSecond);
  retire_one();
  EXPECT_EQ(blocks_after_collect(), 1u) << "both passed theirs before";
  memory_.quiescent(kFirst);
  EXPECT_EQ(blocks_after_collect(), 1u);
  EXPECT_FALSE(memory_.has_collectable());
  memory_.quiescent(kSecond);
  EXPECT_TRUE(memory_.has_collectable());
  EXPECT_EQ(blocks_after_collect(), 0u);
  EXPECT_FALSE(memory_.has_collectable());
}

TEST_F(ReclaimerTest, FreesWhatIsOldAndKeepsWhatIsNew) {
  retire_one();
  memory_.quiescent(kFirst);
  memory_.quiescent(kSecond);
  retire_one();
  EXPECT_EQ(blocks_after_collect(), 1u);
}

TEST_F(ReclaimerTest, DoesNotWaitForASleeper) {
  memory_.offline(kSecond);
  retire_one();
  memory_.quiescent(kFirst);
  EXPECT_EQ(blocks_after_collect(), 0u);
}

TEST_F(ReclaimerTest, AQuiescentStateDoesNotWakeASleeper) {
  memory_.offline(kSecond);
  memory_.quiescent(kSecond);
  retire_one();
  memory_.quiescent(kFirst);
  EXPECT_EQ(blocks_after_collect(), 0u);
}

TEST_F(ReclaimerTest, WaitsForAWorkerThatWokeBeforeTheBlockWasRetired) {
  memory_.offline(kSecond);
  memory_.online(kSecond);
  retire_one();
  memory_.quiescent(kFirst);
  EXPECT_EQ(blocks_after_collect(), 1u);
  memory_.offline(kSecond);
  EXPECT_EQ(blocks_after_collect(), 0u);
}

TEST_F(ReclaimerTest, DoesNotWaitForAWorkerThatWokeAfterwards) {
  memory_.offline(kSecond);
  retire_one();
  memory_.online(kSecond);
  memory_.quiescent(kFirst);
  EXPECT_EQ(blocks_after_collect(), 0u);
}

TEST_F(ReclaimerTest, FreesNoMoreThanAskedFor) {
  for (int i = 0; i < 10; ++i) retire_one();
  memory_.quiescent(kFirst);
  memory_.quiescent(kSecond);
  memory_.collect(3);
  EXPECT_EQ(memory_.bytes(), 7 * kBytes);
  EXPECT_EQ(memory_.retired_blocks(), 7u);
}

}  // namespace
}  // namespace nightjar::broker
