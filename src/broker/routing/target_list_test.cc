#include "broker/routing/target_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "broker/session/subscription.h"

namespace nightjar::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::vector<Subscription*> all(const TargetList& list) { return {list.begin(), list.end()}; }

TEST(TargetList, HoldsNoneOneAndMany) {
  Subscription a;
  Subscription b;
  Subscription c;
  TargetList list;
  EXPECT_THAT(all(list), IsEmpty());
  list.add(&a);
  EXPECT_THAT(all(list), ElementsAre(&a));
  list.add(&b);
  list.add(&c);
  EXPECT_THAT(all(list), ElementsAre(&a, &b, &c));
  EXPECT_TRUE(list.remove(&a));
  EXPECT_THAT(all(list), UnorderedElementsAre(&b, &c));
  EXPECT_TRUE(list.remove(&c));
  EXPECT_THAT(all(list), ElementsAre(&b));
  EXPECT_FALSE(list.remove(&c));
  EXPECT_TRUE(list.remove(&b));
  EXPECT_TRUE(list.empty());
  EXPECT_FALSE(list.remove(&b));
}

TEST(TargetList, MovesWithWhatItHolds) {
  Subscription a;
  Subscription b;
  TargetList from;
  from.add(&a);
  from.add(&b);
  TargetList to{std::move(from)};
  EXPECT_THAT(all(to), ElementsAre(&a, &b));
  TargetList other;
  other = std::move(to);
  EXPECT_THAT(all(other), ElementsAre(&a, &b));
}

}  // namespace
}  // namespace nightjar::broker
