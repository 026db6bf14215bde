#include "broker/balance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nightjar::broker {
namespace {

using ::testing::IsEmpty;

// Four shards for two or three workers, with figures that a test sets.
struct Load {
  std::vector<double> busy;
  std::vector<WorkerIndex> owners;
  std::vector<std::uint64_t> work;
  std::vector<double> occupied{};  // as busy unless a test says more
  std::vector<std::uint32_t> weight = std::vector<std::uint32_t>(4, 100);
  Balancer balancer{};

  std::vector<ShardStep> look() {
    return balancer.look({busy, occupied.empty() ? busy : occupied, owners, work, weight});
  }
  // Looks until there are steps, takes them, and tells how many looks it took; 0 if none of `most` had any.
  int until_steps(int most, std::vector<ShardStep>& steps) {
    for (int i = 1; i <= most; ++i) {
      steps = look();
      if (steps.empty()) continue;
      for (const ShardStep& step : steps) owners[step.shard.value] = step.to;
      return i;
    }
    return 0;
  }
};

Load gathered(std::size_t workers) {
  return {.busy = std::vector<double>(workers, 0.0),
          .owners = std::vector<WorkerIndex>(4, WorkerIndex{0}),
          .work = {10, 20, 30, 40}};
}

TEST(Balance, LeavesModestLoadOnOneWorker) {
  Load load = gathered(2);
  load.busy[0] = 0.7;
  std::vector<ShardStep> steps;
  EXPECT_EQ(load.until_steps(100, steps), 0);
}

TEST(Balance, SpreadsWhenAWorkerStaysHot) {
  Load load = gathered(2);
  load.busy[0] = 0.9;
  EXPECT_THAT(load.look(), IsEmpty()) << "one look may be a burst";
  load.busy[0] = 0.2;
  EXPECT_THAT(load.look(), IsEmpty());
  load.busy[0] = 1.0;
  std::vector<ShardStep> steps;
  EXPECT_EQ(load.until_steps(10, steps), 2);
  // Half of 100: the largest shard, and the largest that fits behind it.
  EXPECT_EQ(steps, (std::vector<ShardStep>{{{3}, {0}, {1}}, {{0}, {0}, {1}}}));
}

TEST(Balance, SpreadsAWorkerThatHasToShareItsCore) {
  Load load = gathered(2);
  load.busy[0] = 0.5;
  load.occupied = {0.95, 0.0};
  std::vector<ShardStep> steps;
  EXPECT_EQ(load.until_steps(10, steps), 2);
}

TEST(Balance, LeavesAShardWhoseMoveWouldBeFelt) {
  Load load = gathered(2);
  load.busy[0] = 1.0;
  load.weight[3] = 1'000'000;
  std::vector<ShardStep> steps;
  EXPECT_EQ(load.until_steps(10, steps), 2);
  EXPECT_EQ(steps, (std::vector<ShardStep>{{{2}, {0}, {1}}, {{1}, {0}, {1}}}));
}

TEST(Balance, MovesLittleAtATime) {
  Load load = gathered(2);
  load.busy[0] = 1.0;
  load.weight = {3'000, 3'000, 3'000, 3'000};
  std::vector<ShardStep> steps;
  EXPECT_EQ(load.until_steps(10, steps), 2);
  EXPECT_EQ(steps.size(), 1U);
}

TEST(Balance, DoesNotSwingWhereTheCoreIsScarce) {
  Load load = gathered(2);
  load.busy = {0.3, 0.0};
  load.occupied = {0.95, 0.0};
  std::vector<ShardStep> steps;
  ASSERT_NE(load.until_steps(10, steps), 0);
  load.busy = {0.15, 0.15};
  load.occupied = {0.9, 0.9};
  EXPECT_EQ(load.until_steps(100, steps), 0);
}

TEST(Balance, EvensTheOthersBesideOneThatCannotBeHelped) {
  Load load = gathered(3);
  load.owners = {{0}, {1}, {1}, {2}};
  load.weight[0] = 1'000'000;
  load.work = {100, 20, 40, 10};
  load.busy = {0.9, 0.7, 0.1};
  std::vector<ShardStep> steps;
  EXPECT_NE(load.until_steps(20, steps), 0);
}

TEST(Balance, GathersPastAWorkerThatKeepsAHeavyShard) {
  Load load = gathered(3);
  load.owners = {{0}, {1}, {1}, {2}};
  load.weight[3] = 1'000'000;
  load.busy = {0.05, 0.05, 0.05};
  std::vector<ShardStep> steps;
  EXPECT_NE(load.until_steps(100, steps), 0);
  EXPECT_EQ(steps, (std::vector<ShardStep>{{{1}, {1}, {0}}, {{2}, {1}, {0}}}));
}

TEST(Balance, WaitsAfterAMove) {
  Load load = gathered(2);
  load.busy[0] = 1.0;
  std::vector<ShardStep> steps;
  ASSERT_NE(load.until_steps(10, steps), 0);
  EXPECT_GT(load.until_steps(20, steps), 3) << "the figures still speak of the time before";
}

TEST(Balance, OneShardThatIsTooLargeStays) {
  Load load = gathered(2);
  load.work = {0, 0, 0, 100};
  load.busy[0] = 1.0;
  std::vector<ShardStep> steps;
  EXPECT_EQ(load.until_steps(50, steps), 0);
}

TEST(Balance, EvensOutSpreadLoadAlsoWhenNobodyIsHot) {
  Load load = gathered(2);
  load.owners = {{0}, {0}, {0}, {1}};
  load.busy = {0.6, 0.4};
  std::vector<ShardStep> steps;
  EXPECT_NE(load.until_steps(20, steps), 0);
  EXPECT_EQ(steps, (std::vector<ShardStep>{{{0}, {0}, {1}}}));
  load.busy = {0.51, 0.49};
  EXPECT_EQ(load.until_steps(50, steps), 0) << "even enough";
}

TEST(Balance, GathersAgainWhenLittleIsLeft) {
  Load load = gathered(3);
  load.owners = {{0}, {1}, {2}, {2}};
  load.busy = {0.05, 0.05, 0.05};
  std::vector<ShardStep> steps;
  EXPECT_GT(load.until_steps(100, steps), 10) << "a pause between two bursts is not worth it";
  EXPECT_EQ(steps, (std::vector<ShardStep>{{{2}, {2}, {1}}, {{3}, {2}, {1}}}));
  EXPECT_NE(load.until_steps(100, steps), 0);
  EXPECT_EQ(load.owners, (std::vector<WorkerIndex>(4, WorkerIndex{0})));
  EXPECT_EQ(load.until_steps(100, steps), 0);
}

}  // namespace
}  // namespace nightjar::broker
