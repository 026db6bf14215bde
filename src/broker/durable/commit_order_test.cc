#include "broker/durable/commit_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <thread>

namespace nightjar::broker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Ready = CommitOrder::Ready;

constexpr std::uint16_t kWorkers = 4;
constexpr WorkerIndex kOrigin{0};

struct CommitOrderTest : testing::Test {
  // A commit of `origin` that `others` have a part in too.
  std::shared_ptr<Commit> announce(CommitNumber number, WorkerIndex origin = kOrigin,
                                   std::initializer_list<WorkerIndex> others = {}) {
    auto commit = std::make_shared<Commit>(origin, number, kWorkers);
    for (const WorkerIndex other : others) commit->add_part(other);
    order.announce(commit);
    return commit;
  }
  Ready ready_with_changes(Commit& commit) {
    commit.part(commit.at().origin).put(Table::kMeta, "k", "v");
    return ready(commit);
  }
  Ready ready(Commit& commit) {
    told = 0;
    return order.ready(commit, told);
  }
  static std::vector<CommitNumber> numbers(const std::vector<std::shared_ptr<Commit>>& commits) {
    std::vector<CommitNumber> found;
    for (const auto& commit : commits) found.push_back(commit->at().number);
    return found;
  }

  CommitOrder order;
  WorkerSet told = 0;
};

TEST_F(CommitOrderTest, TakesOnlyWhatHasNothingUnfinishedBeforeIt) {
  const auto first = announce(1);
  const auto second = announce(2);
  EXPECT_EQ(ready_with_changes(*second), Ready::kIsToWrite);
  EXPECT_THAT(order.take(), IsEmpty());
  EXPECT_EQ(ready_with_changes(*first), Ready::kIsToWrite);
  EXPECT_THAT(numbers(order.take()), ElementsAre(1, 2));
  EXPECT_THAT(order.take(), IsEmpty()) << "they are being written";
}

TEST_F(CommitOrderTest, CommittedFollowsTheNumbers) {
  const auto first = announce(1);
  const auto second = announce(2);
  ready_with_changes(*first);
  const auto one = order.take();
  ready_with_changes(*second);
  const auto two = order.take();
  EXPECT_EQ(order.written(two), WorkerSet{0}) << "the first is still on its way";
  EXPECT_EQ(order.committed(kOrigin), 0U);
  EXPECT_EQ(order.written(one), bit(kOrigin));
  EXPECT_EQ(order.committed(kOrigin), 2U);
}

TEST_F(CommitOrderTest, WhatCameOutOfAnotherCommitFollowsIt) {
  const auto earlier = announce(1, {1});
  const auto later = announce(1);
  const auto last = announce(2);
  later->depend({{1}, 1});
  ready_with_changes(*last);
  EXPECT_EQ(ready_with_changes(*later), Ready::kIsToWrite);
  EXPECT_THAT(order.take(), IsEmpty());
  EXPECT_TRUE(order.is_blocked());
  ready_with_changes(*earlier);
  const auto taken = order.take();
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_EQ(taken[0], earlier);
  EXPECT_EQ(taken[1], later);
  EXPECT_FALSE(order.is_blocked());
}

TEST_F(CommitOrderTest, AnEmptyCommitHoldsUpNothingThatFollowsIt) {
  const auto earlier = announce(1, {1});
  const auto later = announce(1);
  later->depend({{1}, 1});
  ready_with_changes(*later);
  EXPECT_THAT(order.take(), IsEmpty());
  EXPECT_EQ(ready(*earlier), Ready::kIsDurable);
  EXPECT_TRUE(order.is_blocked()) << "who made it ready has to have it taken";
  EXPECT_THAT(numbers(order.take()), ElementsAre(1));
}

TEST_F(CommitOrderTest, WhatFollowsAnIncompleteCommitIsTakenWhenThatOneTurnsOutEmpty) {
  const auto first = announce(1, kOrigin, {{2}});
  const auto second = announce(2);
  EXPECT_EQ(ready_with_changes(*second), Ready::kIsToWrite);
  EXPECT_THAT(order.take(), IsEmpty());
  EXPECT_EQ(ready(*first), Ready::kIsDurable);
  EXPECT_TRUE(order.is_blocked()) << "who made it ready has to have the second taken";
  EXPECT_THAT(numbers(order.take()), ElementsAre(2));
  EXPECT_FALSE(order.is_blocked());
}

TEST_F(CommitOrderTest, AnIncompleteCommitWithNothingToWriteBehindItWakesNobody) {
  const auto first = announce(1, kOrigin, {{2}});
  const auto second = announce(2);
  EXPECT_EQ(ready(*second), Ready::kWaits);
  EXPECT_THAT(order.take(), IsEmpty());
  EXPECT_FALSE(order.is_blocked());
}

TEST_F(CommitOrderTest, OriginsDoNotWaitForEachOther) {
  announce(1);
  const auto other = announce(1, {1});
  ready_with_changes(*other);
  order.written(order.take());
  EXPECT_EQ(order.committed({1}), 1U);
  EXPECT_EQ(order.committed(kOrigin), 0U);
}

TEST_F(CommitOrderTest, NamesAllWhoWait) {
  const auto commit = announce(1, kOrigin, {{2}, {3}});
  ready_with_changes(*commit);
  EXPECT_EQ(order.written(order.take()), bit(kOrigin) | bit({2}) | bit({3}));
}

TEST_F(CommitOrderTest, AnEmptyOneIsDurableAtOnce) {
  const auto commit = announce(1);
  EXPECT_EQ(ready(*commit), Ready::kIsDurable);
  EXPECT_EQ(told, WorkerSet{0}) << "the only one who waits has the answer";
  EXPECT_EQ(order.committed(kOrigin), 1U);
  EXPECT_THAT(order.take(), IsEmpty());
}

TEST_F(CommitOrderTest, AnEmptyOneOfSeveralIsToldToAllOfThem) {
  // Who calls may be any of them.
  const auto commit = announce(1, kOrigin, {{2}});
  EXPECT_EQ(ready(*commit), Ready::kIsDurable);
  EXPECT_EQ(told, bit(kOrigin) | bit({2}));
}

TEST_F(CommitOrderTest, AnEmptyOneWaitsForThoseBeforeIt) {
  const auto first = announce(1);
  const auto second = announce(2);
  EXPECT_EQ(ready(*second), Ready::kWaits);
  ready_with_changes(*first);
  const auto taken = order.take();
  EXPECT_THAT(numbers(taken), ElementsAre(1)) << "there is nothing in the second";
  EXPECT_EQ(order.committed(kOrigin), 0U);
  order.written(taken);
  EXPECT_EQ(order.committed(kOrigin), 2U);
}

TEST_F(CommitOrderTest, EmptyOnesThatWaitedForAnEmptyOneGoWithItAndAreTold) {
  const auto first = announce(1);
  const auto second = announce(2, kOrigin, {{3}});
  EXPECT_EQ(ready(*second), Ready::kWaits);
  EXPECT_EQ(ready(*first), Ready::kIsDurable);
  EXPECT_EQ(order.committed(kOrigin), 2U);
  EXPECT_EQ(told, bit({3})) << "the origin sees it in committed()";
}

TEST_F(CommitOrderTest, WhatCouldNotBeWrittenComesAgainInOrder) {
  const auto first = announce(1);
  const auto second = announce(2);
  const auto third = announce(3);
  ready_with_changes(*first);
  ready_with_changes(*second);
  order.unwritten(order.take());
  EXPECT_EQ(order.committed(kOrigin), 0U);
  ready_with_changes(*third);
  EXPECT_THAT(numbers(order.take()), ElementsAre(1, 2, 3));
}

TEST_F(CommitOrderTest, LosesNothingUnderThreads) {
  constexpr CommitNumber kCommits = 5'000;
  std::vector<std::thread> origins;
  for (std::uint16_t origin = 0; origin < 2; ++origin) {
    origins.emplace_back([this, origin] {
      for (CommitNumber number = 1; number <= kCommits; ++number) {
        auto commit = std::make_shared<Commit>(WorkerIndex{origin}, number, kWorkers);
        order.announce(commit);
        if (number % 3 != 0) commit->part({origin}).put(Table::kMeta, "k", "v");
        WorkerSet ignored = 0;
        order.ready(*commit, ignored);
      }
    });
  }
  // The threads finish, so this does.
  while (order.committed({0}) < kCommits || order.committed({1}) < kCommits) order.written(order.take());
  for (std::thread& origin : origins) origin.join();
  EXPECT_THAT(order.take(), IsEmpty());
}

}  // namespace
}  // namespace nightjar::broker
