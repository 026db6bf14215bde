#include "broker/durable/late_topics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace nightjar::broker {
namespace {

using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

std::vector<std::string> taken(LateTopics& late, std::size_t count_max) {
  std::vector<std::string> topics;
  late.take(count_max, [&topics](const std::string& topic) { topics.push_back(topic); });
  return topics;
}

TEST(LateTopics, HasEachOnce) {
  LateTopics late;
  for (const char* topic : {"a", "b", "a"}) EXPECT_TRUE(late.add(topic));
  EXPECT_THAT(taken(late, 10), UnorderedElementsAre("a", "b"));
  EXPECT_TRUE(late.empty());
}

TEST(LateTopics, GivesSoManyAtATime) {
  LateTopics late;
  for (int i = 0; i < 100; ++i) late.add(std::to_string(i));
  EXPECT_THAT(taken(late, 60), SizeIs(60));
  EXPECT_FALSE(late.empty());
  EXPECT_THAT(taken(late, 60), SizeIs(40));
  EXPECT_TRUE(late.empty());
}

TEST(LateTopics, SaysOnceThatItIsFullUntilAllAreTaken) {
  LateTopics late(1000);
  int refusals = 0;
  for (int i = 0; i < 100; ++i) refusals += late.add(std::to_string(1000 + i)) ? 0 : 1;
  EXPECT_EQ(refusals, 1);
  EXPECT_TRUE(late.add("1000")) << "it is there";
  EXPECT_THAT(taken(late, 1000), SizeIs(1000 / (4 + 48)));
  EXPECT_TRUE(late.add("1099"));
  EXPECT_THAT(taken(late, 1000), SizeIs(1));
}

}  // namespace
}  // namespace nightjar::broker
