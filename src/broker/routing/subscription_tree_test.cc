#include "broker/routing/subscription_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "mqtt/topic.h"

namespace nightjar::broker {

bool operator==(const Match& a, const Match& b) { return a.filter == b.filter && a.workers == b.workers; }
void PrintTo(const Match& match, std::ostream* out) {
  *out << "{filter " << match.filter.value << ", workers " << match.workers << "}";
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr WorkerIndex kFirst{0};
constexpr WorkerIndex kSecond{1};

std::vector<Match> matches_of(const SubscriptionTree& tree, std::string_view topic) {
  std::vector<Match> out;
  tree.match(topic, out);
  return out;
}

// The filters that match `topic`, when each of `filters` is in the tree alone with the others.
std::vector<std::string> matching(std::initializer_list<std::string> filters, std::string_view topic) {
  SubscriptionTree tree(1);
  std::map<std::uint32_t, std::string> names;
  for (const std::string& filter : filters) names[tree.add(filter, kFirst).value] = filter;
  std::vector<std::string> found;
  for (const Match& match : matches_of(tree, topic)) found.push_back(names.at(match.filter.value));
  return found;
}

TEST(SubscriptionTreeMatch, FindsTheExactFilterOnly) {
  EXPECT_THAT(matching({"a/b", "a", "a/b/c", "a/c", "A/b"}, "a/b"), ElementsAre("a/b"));
}

TEST(SubscriptionTreeMatch, EmptyLevelsAreLevels) {
  EXPECT_THAT(matching({"/a", "a", "a/", "+/a", "/+", "a//b"}, "/a"),
              UnorderedElementsAre("/a", "+/a", "/+"));
  EXPECT_THAT(matching({"a//b", "a/+/b", "a/b"}, "a//b"), UnorderedElementsAre("a//b", "a/+/b"));
  EXPECT_THAT(matching({"/", "+/+", "+", "#"}, "/"), UnorderedElementsAre("/", "+/+", "#"));
}

TEST(SubscriptionTreeMatch, PlusTakesExactlyOneLevel) {
  EXPECT_THAT(matching({"+", "+/+", "+/+/+", "a/+", "+/b"}, "a/b"),
              UnorderedElementsAre("+/+", "a/+", "+/b"));
}

TEST(SubscriptionTreeMatch, HashTakesTheParentAndEverythingBelow) {
  EXPECT_THAT(matching({"#", "a/#", "a/b/#", "a/b/c/#", "+/#", "b/#"}, "a/b"),
              UnorderedElementsAre("#", "a/#", "a/b/#", "+/#"));
}

TEST(SubscriptionTreeMatch, ALeadingWildcardDoesNotSeeTopicsThatBeginWithADollar) {
  EXPECT_THAT(matching({"#", "+/x", "+/#", "$SYS/#", "$SYS/+", "$SYS/x"}, "$SYS/x"),
              UnorderedElementsAre("$SYS/#", "$SYS/+", "$SYS/x"));
  EXPECT_THAT(matching({"a/#", "a/+"}, "a/$x"), UnorderedElementsAre("a/#", "a/+"));
}

TEST(SubscriptionTreeMatch, ReportsTheWorkersOfAFilterOnce) {
  SubscriptionTree tree(2);
  const FilterId id = tree.add("a/+", kFirst);
  EXPECT_EQ(tree.add("a/+", kSecond), id);
  EXPECT_EQ(tree.add("a/+", kSecond), id);
  EXPECT_THAT(matches_of(tree, "a/b"), ElementsAre(Match{id, bit(kFirst) | bit(kSecond)}));
  EXPECT_EQ(tree.filter_count(), 1u);
}

TEST(SubscriptionTreeMatch, AppendsToWhatIsThere) {
  SubscriptionTree tree(1);
  const FilterId id = tree.add("a", kFirst);
  std::vector<Match> out{{FilterId{99}, 7}};
  tree.match("a", out);
  EXPECT_THAT(out, ElementsAre(Match{FilterId{99}, 7}, Match{id, bit(kFirst)}));
}

TEST(SubscriptionTreeRemove, KeepsAFilterThatAnotherWorkerHas) {
  SubscriptionTree tree(2);
  const FilterId id = tree.add("a/#", kFirst);
  tree.add("a/#", kSecond);
  tree.remove("a/#", kFirst);
  EXPECT_THAT(matches_of(tree, "a"), ElementsAre(Match{id, bit(kSecond)}));
  tree.remove("a/#", kSecond);
  EXPECT_THAT(matches_of(tree, "a"), IsEmpty());
  EXPECT_EQ(tree.filter_count(), 0u);
}

TEST(SubscriptionTreeRemove, IgnoresWhatIsNotThere) {
  SubscriptionTree tree(2);
  const FilterId id = tree.add("a/b", kFirst);
  for (const char* other : {"a/b/c", "a", "x", "a/#", "a/+", "+/b", "#", "a/b/#"}) tree.remove(other, kFirst);
  tree.remove("a/b", kSecond);
  EXPECT_THAT(matches_of(tree, "a/b"), ElementsAre(Match{id, bit(kFirst)}));
  EXPECT_EQ(tree.filter_count(), 1u);
}

TEST(SubscriptionTreeRemove, KeepsFiltersAboveAndBelow) {
  SubscriptionTree tree(1);
  const FilterId above = tree.add("a", kFirst);
  const FilterId below = tree.add("a/b/c", kFirst);
  tree.add("a/b", kFirst);
  tree.add("a/b/#", kFirst);
  tree.remove("a/b", kFirst);
  tree.remove("a/b/#", kFirst);
  EXPECT_THAT(matches_of(tree, "a"), ElementsAre(Match{above, bit(kFirst)}));
  EXPECT_THAT(matches_of(tree, "a/b"), IsEmpty());
  EXPECT_THAT(matches_of(tree, "a/b/c"), ElementsAre(Match{below, bit(kFirst)}));
}

TEST(SubscriptionTreeIds, AreUsedAgainAfterTheLastRemoval) {
  SubscriptionTree tree(1);
  const FilterId first = tree.add("a", kFirst);
  const FilterId other = tree.add("b", kFirst);
  EXPECT_NE(first, other);
  tree.remove("a", kFirst);
  EXPECT_EQ(tree.add("c", kFirst), first);
}

TEST(SubscriptionTreeMemory, ReturnsToNothingWhenEveryFilterIsGone) {
  SubscriptionTree tree(1);
  const auto filter_of = [](int i) { return "site/" + std::to_string(i % 100) + "/+/" + std::to_string(i); };
  const std::size_t before = tree.memory_bytes();
  for (int i = 0; i < 5000; ++i) tree.add(filter_of(i), kFirst);
  EXPECT_GT(tree.memory_bytes(), before);
  for (int i = 0; i < 5000; ++i) tree.remove(filter_of(i), kFirst);
  for (int turn = 0; turn < 1000 && tree.memory_bytes() != before; ++turn) tree.quiescent(kFirst);
  EXPECT_EQ(tree.memory_bytes(), before);
}

TEST(SubscriptionTreeMemory, IsHeldWhileAWorkerMayStillRead) {
  SubscriptionTree tree(2);
  const std::size_t before = tree.memory_bytes();
  tree.add("a/b", kFirst);
  tree.remove("a/b", kFirst);
  tree.quiescent(kFirst);
  EXPECT_GT(tree.memory_bytes(), before) << "the second worker has not passed a turn boundary";
  tree.quiescent(kSecond);
  EXPECT_EQ(tree.memory_bytes(), before);
}

TEST(SubscriptionTreeMemory, ASleepingWorkerDelaysNothing) {
  SubscriptionTree tree(2);
  const std::size_t before = tree.memory_bytes();
  tree.offline(kSecond);
  tree.add("a/b", kFirst);
  tree.remove("a/b", kFirst);
  tree.quiescent(kFirst);
  EXPECT_EQ(tree.memory_bytes(), before);
  tree.online(kSecond);
  tree.add("a/b", kFirst);
  tree.remove("a/b", kFirst);
  tree.quiescent(kFirst);
  EXPECT_GT(tree.memory_bytes(), before) << "the second worker is awake again";
}

TEST(SubscriptionTreeMemory, TheBacklogStaysBoundedUnderChurn) {
  SubscriptionTree tree(1);
  for (int i = 0; i < 1000; ++i) tree.add("dev/" + std::to_string(i), kFirst);
  const std::size_t settled = tree.memory_bytes();
  for (int turn = 0; turn < 2000; ++turn) {
    const std::string filter = "dev/churn" + std::to_string(turn) + "/#";
    tree.add(filter, kFirst);
    tree.remove(filter, kFirst);
    tree.quiescent(kFirst);
  }
  EXPECT_LT(tree.memory_bytes(), settled + 64 * 1024);
}

TEST(SubscriptionTreeLimits, ATopicOfThousandsOfLevelsIsMatchedAndForgotten) {
  SubscriptionTree tree(1);
  const std::string deep(65'535, '/');
  std::string plus = "+";
  while (plus.size() + 2 <= 65'535) plus += "/+";
  const FilterId exact = tree.add(deep, kFirst);
  tree.add(plus, kFirst);
  const FilterId below = tree.add(deep.substr(0, 60'000) + "#", kFirst);
  EXPECT_THAT(matches_of(tree, deep),
              UnorderedElementsAre(Match{exact, bit(kFirst)}, Match{below, bit(kFirst)}));
  tree.remove(deep, kFirst);
  EXPECT_THAT(matches_of(tree, deep), ElementsAre(Match{below, bit(kFirst)}));
}

TEST(SubscriptionTreeLimits, ALevelOfTheGreatestLengthIsKept) {
  SubscriptionTree tree(1);
  const std::string level(65'535, 'x');
  const FilterId id = tree.add(level, kFirst);
  EXPECT_THAT(matches_of(tree, level), ElementsAre(Match{id, bit(kFirst)}));
  EXPECT_THAT(matches_of(tree, level.substr(1)), IsEmpty());
}

TEST(SubscriptionTreeLimits, MoreMatchingPathsThanFitInPlace) {
  // Every mix of "a" and "+" over seven levels: 128 filters, and as many nodes, match the one topic.
  SubscriptionTree tree(1);
  for (unsigned mix = 0; mix < 128; ++mix) {
    std::string filter;
    for (unsigned level = 0; level < 7; ++level) filter += (mix >> level & 1) != 0 ? "/+" : "/a";
    tree.add(filter.substr(1), kFirst);
  }
  EXPECT_EQ(matches_of(tree, "a/a/a/a/a/a/a").size(), 128u);
  EXPECT_EQ(matches_of(tree, "a/a/a/b/a/a/a").size(), 64u);
}

TEST(SubscriptionTreeVersion, GrowsByOne) {
  SubscriptionTree tree(1);
  const RouteVersion before = tree.version();
  EXPECT_EQ(tree.advance_version(), before + 1);
  EXPECT_EQ(tree.version(), before + 1);
}

// Few short levels, so that random filters and topics often meet.
rc::Gen<std::string> level_text() {
  return rc::gen::element<std::string>("a", "b", "", "$a", "abcdefghijklmnopqr");
}
std::string join(const std::vector<std::string>& levels) {
  std::string text;
  for (const std::string& level : levels) text += "/" + level;
  return text.substr(1);
}
rc::Gen<std::string> some_topic() {
  const auto levels = rc::gen::resize(5, rc::gen::container<std::vector<std::string>>(level_text()));
  return rc::gen::suchThat(rc::gen::map(rc::gen::nonEmpty(levels), join), mqtt::is_valid_topic_name);
}
rc::Gen<std::string> some_filter() {
  const auto level = rc::gen::oneOf(level_text(), level_text(), rc::gen::just(std::string("+")));
  const auto levels = rc::gen::resize(5, rc::gen::container<std::vector<std::string>>(level));
  const auto filter = rc::gen::mapcat(rc::gen::nonEmpty(levels), [](const std::vector<std::string>& some) {
    return rc::gen::element(join(some), join(some) + "/#", std::string("#"));
  });
  return rc::gen::suchThat(filter, mqtt::is_valid_topic_filter);
}

struct Step {
  bool is_add;
  std::string filter;
  WorkerIndex worker;
};
rc::Gen<Step> some_step(const std::vector<std::string>& filters) {
  return rc::gen::apply(
      [](bool is_add, std::string filter, std::uint16_t worker) {
        return Step{is_add, std::move(filter), WorkerIndex{worker}};
      },
      rc::gen::arbitrary<bool>(), rc::gen::elementOf(filters), rc::gen::inRange<std::uint16_t>(0, 3));
}

// The workers of every filter, and a look at each of them for a match.
struct Model {
  std::map<std::string, WorkerSet> filters;

  void apply(const Step& step) {
    WorkerSet& workers = filters[step.filter];
    workers = step.is_add ? workers | bit(step.worker) : workers & ~bit(step.worker);
    if (workers == 0) filters.erase(step.filter);
  }
  std::vector<std::pair<std::string, WorkerSet>> match(const std::string& topic) const {
    std::vector<std::pair<std::string, WorkerSet>> found;
    for (const auto& entry : filters) {
      if (mqtt::matches(entry.first, topic)) found.emplace_back(entry);
    }
    return found;
  }
};

RC_GTEST_PROP(SubscriptionTreeModel, AgreesWithALookAtEveryFilter, ()) {
  const auto filters = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(some_filter()));
  const auto steps = *rc::gen::container<std::vector<Step>>(some_step(filters));
  const auto topics = *rc::gen::container<std::vector<std::string>>(some_topic());
  SubscriptionTree tree(3);
  Model model;
  std::map<std::string, FilterId> ids;
  for (const Step& step : steps) {
    if (step.is_add) {
      ids[step.filter] = tree.add(step.filter, step.worker);
    } else {
      tree.remove(step.filter, step.worker);
    }
    model.apply(step);
    RC_ASSERT(tree.filter_count() == model.filters.size());
    for (std::uint16_t worker = 0; worker < 3; ++worker) tree.quiescent({worker});
  }
  std::map<std::uint32_t, std::string> names;
  for (const auto& [filter, workers] : model.filters) {
    RC_ASSERT(names.emplace(ids.at(filter).value, filter).second);  // no two filters share an id
  }
  for (const std::string& topic : topics) {
    std::vector<std::pair<std::string, WorkerSet>> found;
    for (const Match& match : matches_of(tree, topic))
      found.emplace_back(names.at(match.filter.value), match.workers);
    std::sort(found.begin(), found.end());
    RC_ASSERT(found == model.match(topic));
  }
}

}  // namespace
}  // namespace nightjar::broker
