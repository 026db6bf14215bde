#include "broker/retained/filter_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace nightjar::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Topics = std::set<std::string, TopicOrder>;

struct Scanned {
  std::vector<std::string> matches;
  int looks = 0;
};
Scanned scan(const Topics& topics, std::string_view filter) {
  FilterScan scan(filter);
  Scanned result;
  for (auto at = topics.begin(); at != topics.end();) {
    ++result.looks;
    const FilterScan::Verdict verdict = scan.look_at(*at);
    if (verdict.matches) result.matches.push_back(*at);
    if (verdict.onward == FilterScan::Onward::kEnd) break;
    if (verdict.onward == FilterScan::Onward::kNext) {
      ++at;
      continue;
    }
    EXPECT_TRUE(TopicOrder{}(*at, scan.seek_key()))
        << "a seek leads onward: " << *at << " to " << scan.seek_key();
    at = topics.lower_bound(scan.seek_key());
  }
  return result;
}

TEST(TopicOrder, PutsWhatLiesBelowATopicRightBehindIt) {
  const Topics topics{"a-b", "a", "b", "a/c", "a/b/c", "a/b", "a/b-c", "a ", "a/"};
  EXPECT_THAT(topics, ElementsAre("a", "a/", "a/b", "a/b/c", "a/b-c", "a/c", "a ", "a-b", "b"));
}

TEST(TopicOrder, TakesBytesAsUnsigned) {
  const Topics topics{"z", "\xc3\xa9", "a"};
  EXPECT_THAT(topics, ElementsAre("a", "z", "\xc3\xa9"));
}

TEST(FilterScan, MatchesAsTheStandardSays) {
  const Topics topics{"$SYS/x", "a", "a/", "a/b", "a/b/c", "a/x/c", "a-b", "b/b", "/b"};
  EXPECT_THAT(scan(topics, "#").matches, ElementsAre("/b", "a", "a/", "a/b", "a/b/c", "a/x/c", "a-b", "b/b"));
  EXPECT_THAT(scan(topics, "a/#").matches, ElementsAre("a", "a/", "a/b", "a/b/c", "a/x/c"));
  EXPECT_THAT(scan(topics, "a/+").matches, ElementsAre("a/", "a/b"));
  EXPECT_THAT(scan(topics, "+/b").matches, ElementsAre("/b", "a/b", "b/b"));
  EXPECT_THAT(scan(topics, "+/+/c").matches, ElementsAre("a/b/c", "a/x/c"));
  EXPECT_THAT(scan(topics, "a/+/c/#").matches, ElementsAre("a/b/c", "a/x/c"));
  EXPECT_THAT(scan(topics, "+").matches, ElementsAre("a", "a-b"));
  EXPECT_THAT(scan(topics, "$SYS/#").matches, ElementsAre("$SYS/x"));
  EXPECT_THAT(scan(topics, "+/x").matches, IsEmpty());
}

class FilterScanCost : public ::testing::Test {
 protected:
  FilterScanCost() {
    for (int site = 0; site < 10; ++site) {
      for (int device = 0; device < 100; ++device) {
        const std::string prefix = "site" + std::to_string(site) + "/dev" + std::to_string(device);
        for (const char* leaf : {"/alarm", "/state/light", "/state/power", "/version"})
          topics_.insert(prefix + leaf);
      }
    }
    for (int i = 0; i < 500; ++i) topics_.insert("$SYS/" + std::to_string(i));
  }
  Topics topics_;
};

TEST_F(FilterScanCost, ALiteralPrefixIsFoundAtOnce) {
  const Scanned result = scan(topics_, "site7/dev42/#");
  EXPECT_EQ(result.matches.size(), 4u);
  EXPECT_LE(result.looks, 8);
}

TEST_F(FilterScanCost, TopicsOfTheSystemAreSkippedInOneStep) {
  const Scanned result = scan(topics_, "+/dev42/version");
  EXPECT_EQ(result.matches.size(), 10u);
  EXPECT_LE(result.looks, 1 + 4 * 10);
}

TEST_F(FilterScanCost, APlusInTheMiddleCostsAFewLooksPerBranch) {
  const Scanned result = scan(topics_, "site3/+/state/light");
  EXPECT_EQ(result.matches.size(), 100u);
  EXPECT_LE(result.looks, 5 + 3 * 100);
}

}  // namespace
}  // namespace nightjar::broker
