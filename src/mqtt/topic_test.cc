#include "mqtt/topic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace nightjar::mqtt {
namespace {

using testing::ElementsAre;
using namespace std::string_view_literals;

std::vector<std::string> levels_of(std::string_view topic) {
  std::vector<std::string> levels;
  Levels walk{topic};
  for (std::string_view level; walk.next(level);) levels.emplace_back(level);
  return levels;
}

TEST(TopicName, HasNoWildcardsAndIsNotEmpty) {
  for (const auto name : {"a", "/", "//", "a/b", "$SYS/x", " ", "a b/c", "é/€", "$share/g/a"}) {
    EXPECT_TRUE(is_valid_topic_name(name)) << name;
  }
  for (const auto name : {""sv, "+"sv, "#"sv, "a+"sv, "a/#"sv, "a/+/b"sv, "a\0b"sv}) {
    EXPECT_FALSE(is_valid_topic_name(name)) << name;
  }
}

TEST(TopicName, IsAtMost65535Bytes) {
  EXPECT_TRUE(is_valid_topic_name(std::string(65'535, 'a')));
  EXPECT_FALSE(is_valid_topic_name(std::string(65'536, 'a')));
}

TEST(TopicName, IsCheckedInEveryByte) {
  for (std::size_t size = 1; size <= 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (const char bad : {'+', '#', '\0'}) {
        std::string name(size, 'a');
        name[at] = bad;
        ASSERT_FALSE(is_valid_topic_name(name)) << size << ' ' << at;
        // The neighbours of the forbidden characters are allowed.
        name[at] = static_cast<char>(bad + 1);
        ASSERT_TRUE(is_valid_topic_name(name)) << size << ' ' << at;
      }
    }
  }
}

TEST(TopicFilter, TakesWildcardsOnlyAsWholeLevels) {
  for (const auto filter : {"a", "/", "#", "+", "a/#", "a/+", "+/+", "/+", "+/a/#", "/#", "+/", "a//+/b",
                            "$SYS/#", "a/+/b/+/#"}) {
    EXPECT_TRUE(is_valid_topic_filter(filter)) << filter;
  }
  for (const auto filter : {""sv, "a#"sv, "#a"sv, "a/#/b"sv, "#/"sv, "##"sv, "a+"sv, "+a"sv, "a/b+/c"sv,
                            "++"sv, "+#"sv, "a/+#"sv, "a/#+"sv, "a\0"sv}) {
    EXPECT_FALSE(is_valid_topic_filter(filter)) << filter;
  }
  EXPECT_TRUE(is_valid_topic_filter(std::string(65'535, 'a')));
  EXPECT_FALSE(is_valid_topic_filter(std::string(65'536, 'a')));
}

TEST(TopicFilter, KnowsItsWildcards) {
  EXPECT_TRUE(has_wildcard("a/+"));
  EXPECT_TRUE(has_wildcard("#"));
  EXPECT_FALSE(has_wildcard("a/b"));
  EXPECT_FALSE(has_wildcard(""));
}

TEST(TopicLevels, AreCutAtEverySlash) {
  EXPECT_THAT(levels_of("a/b/c"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(levels_of("a//b"), ElementsAre("a", "", "b"));
  EXPECT_THAT(levels_of("/"), ElementsAre("", ""));
  EXPECT_THAT(levels_of("a"), ElementsAre("a"));
  EXPECT_THAT(levels_of(""), ElementsAre(""));
  for (const auto topic : {"", "a", "/", "a/b", "a//b/", "/////"}) {
    EXPECT_EQ(level_count(topic), levels_of(topic).size()) << topic;
  }
}

TEST(SharedSubscription, IsCutIntoShareNameAndFilter) {
  SharedFilter parts;
  ASSERT_TRUE(parse_shared("$share/group/a/+/b", parts));
  EXPECT_EQ(parts.share_name, "group");
  EXPECT_EQ(parts.filter, "a/+/b");
  ASSERT_TRUE(parse_shared("$share/g//a", parts));
  EXPECT_EQ(parts.filter, "/a");
  ASSERT_TRUE(parse_shared("$share/g/#", parts));
  EXPECT_EQ(parts.filter, "#");
  ASSERT_TRUE(parse_shared("$share/g/$SYS/x", parts));
  EXPECT_EQ(parts.filter, "$SYS/x");
}

TEST(SharedSubscription, RefusesBadNamesAndFilters) {
  for (const auto filter :
       {"$share", "$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/#/a", "$share/g+/a",
        "$share/g/a#", "$share/g/#/a", "share/g/a", "$SHARE/g/a", ""}) {
    SharedFilter parts{.share_name = "kept", .filter = "kept"};
    EXPECT_FALSE(parse_shared(filter, parts)) << filter;
    EXPECT_EQ(parts.share_name, "kept") << filter;
  }
  SharedFilter parts;
  EXPECT_FALSE(parse_shared("$share/g/" + std::string(65'535, 'a'), parts));
}

TEST(SharedSubscription, IsKnownByItsPrefix) {
  EXPECT_TRUE(is_shared("$share/"));
  EXPECT_TRUE(is_shared("$share/g/a"));
  EXPECT_FALSE(is_shared("$share"));
  EXPECT_FALSE(is_shared("$shared/a"));
  EXPECT_FALSE(is_shared("a/$share/"));
}

struct Pair {
  std::string_view filter;
  std::string_view topic;
};

TEST(TopicMatch, FollowsTheExamplesOfTheStandard) {
  constexpr Pair kMatching[] = {
      {"sport/tennis/player1/#", "sport/tennis/player1"},
      {"sport/tennis/player1/#", "sport/tennis/player1/ranking"},
      {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"},
      {"sport/#", "sport"},
      {"#", "sport"},
      {"#", "/"},
      {"#", "a/b/c"},
      {"sport/tennis/+", "sport/tennis/player1"},
      {"sport/+", "sport/"},
      {"+/+", "/finance"},
      {"/+", "/finance"},
      {"$SYS/#", "$SYS/"},
      {"$SYS/#", "$SYS"},
      {"$SYS/monitor/+", "$SYS/monitor/Clients"},
      {"+/tennis/#", "sport/tennis"},
      {"a//b", "a//b"},
      {"a/+/b", "a//b"},
      {"a/$b", "a/$b"},
      {"a/+", "a/$b"},
      {"a/#", "a/$b"},
  };
  for (const auto& [filter, topic] : kMatching) EXPECT_TRUE(matches(filter, topic)) << filter << ' ' << topic;
}

TEST(TopicMatch, LeavesOutWhatTheStandardLeavesOut) {
  constexpr Pair kOthers[] = {
      {"sport/tennis/+", "sport/tennis/player1/ranking"},
      {"sport/+", "sport"},
      {"+", "/finance"},
      {"+", "a/b"},
      {"#", "$SYS/monitor/Clients"},
      {"#", "$SYS"},
      {"+/monitor/Clients", "$SYS/monitor/Clients"},
      {"+/#", "$SYS/monitor"},
      {"sport/#", "sports"},
      {"sport/#", "other/sport"},
      {"ACCOUNTS", "Accounts"},
      {"/a", "a"},
      {"a/", "a"},
      {"a", "a/"},
      {"a/b", "a/b/c"},
      {"a/b/c", "a/b"},
      {"a/+/c/#", "a/b"},
  };
  for (const auto& [filter, topic] : kOthers) EXPECT_FALSE(matches(filter, topic)) << filter << ' ' << topic;
}

// Few letters and levels, so that filters and names meet often.
rc::Gen<std::vector<std::string>> level_list(std::vector<std::string> choices) {
  return rc::gen::suchThat(
      rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(std::move(choices))),
      [](const auto& levels) { return !levels.empty() && levels.size() < 8; });
}

std::string join(const std::vector<std::string>& levels) {
  std::string text;
  for (std::size_t i = 0; i < levels.size(); ++i) text += (i == 0 ? "" : "/") + levels[i];
  return text;
}

// The standard's own words, level by level.
bool matches_by_definition(const std::vector<std::string>& filter, const std::vector<std::string>& topic,
                           std::size_t at) {
  if (at == filter.size()) return at == topic.size();
  if (filter[at] == "#") return true;
  if (at == topic.size()) return false;
  return (filter[at] == "+" || filter[at] == topic[at]) && matches_by_definition(filter, topic, at + 1);
}

RC_GTEST_PROP(TopicMatchProperty, AgreesWithTheDefinition, ()) {
  auto filter = *level_list({"a", "b", "", "+", "$x"});
  if (*rc::gen::arbitrary<bool>()) filter.emplace_back("#");
  const auto topic = *level_list({"a", "b", "", "$x"});
  RC_PRE(!join(filter).empty() && !join(topic).empty());
  const bool is_hidden = topic[0].starts_with('$') && (filter[0] == "+" || filter[0] == "#");
  RC_ASSERT(is_valid_topic_filter(join(filter)));
  RC_ASSERT(is_valid_topic_name(join(topic)));
  RC_ASSERT(matches(join(filter), join(topic)) == (!is_hidden && matches_by_definition(filter, topic, 0)));
}

RC_GTEST_PROP(TopicMatchProperty, ANameMatchesItselfAndEveryFilterMadeFromIt, ()) {
  auto topic = *level_list({"a", "b", "", "c"});
  RC_PRE(!join(topic).empty());
  RC_ASSERT(matches(join(topic), join(topic)));
  auto filter = topic;
  for (auto& level : filter) {
    if (*rc::gen::arbitrary<bool>()) level = "+";
  }
  RC_ASSERT(matches(join(filter), join(topic)));
  filter.resize(*rc::gen::inRange<std::size_t>(0, filter.size() + 1));
  filter.emplace_back("#");
  RC_ASSERT(matches(join(filter), join(topic)));
}

}  // namespace
}  // namespace nightjar::mqtt
