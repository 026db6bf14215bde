#include "broker/retained/retained_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "mqtt/topic.h"

namespace nightjar::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr MonoTime kStart{1000};
constexpr std::size_t kNoLimit = 1'000'000;

MessageRef message(std::string_view topic, std::string_view payload, MonoTime expires = kNever) {
  return Message::make(
      {.topic = topic, .payload = as_bytes(payload), .properties = {}, .retain = true, .expires = expires});
}

// "topic=payload" for each message.
std::vector<std::string> texts(const std::vector<MessageRef>& messages) {
  std::vector<std::string> all;
  for (const MessageRef& m : messages)
    all.push_back(std::string(m->topic()) + "=" + std::string(as_text(m->payload())));
  return all;
}

class RetainedMessagesTest : public ::testing::Test {
 protected:
  void store(std::string_view topic, std::string_view payload, MonoTime expires = kNever) {
    ASSERT_TRUE(retained_.store(message(topic, payload, expires)));
  }
  std::vector<std::string> replay(std::string_view filter, MonoTime now = kStart,
                                  std::size_t count_max = kNoLimit) {
    return replay_from(retained_.begin_replay(), filter, now, count_max);
  }
  std::vector<std::string> replay_from(std::uint64_t version, std::string_view filter, MonoTime now = kStart,
                                       std::size_t count_max = kNoLimit) {
    std::vector<MessageRef> out;
    RetainedCursor cursor;
    bool goes_on = true;
    while (goes_on) {
      const std::size_t before = out.size();
      goes_on = retained_.read(filter, version, now, count_max, cursor, out);
      EXPECT_LE(out.size() - before, count_max);
    }
    return texts(out);
  }

  RetainedMessages retained_{1000, 1'000'000};
};

TEST_F(RetainedMessagesTest, KeepsTheLatestMessageOfATopic) {
  store("a/b", "old");
  store("a/b", "new");
  EXPECT_THAT(replay("a/b"), ElementsAre("a/b=new"));
  EXPECT_THAT(replay("a/+"), ElementsAre("a/b=new"));
  EXPECT_EQ(retained_.count(), 1u);
  EXPECT_EQ(retained_.bytes(), 6u);
}

TEST_F(RetainedMessagesTest, AnEmptyPayloadRemovesTheEntry) {
  store("a/b", "1");
  store("a/b", "");
  EXPECT_THAT(replay("#"), IsEmpty());
  EXPECT_FALSE(retained_.find("a/b"));
  EXPECT_EQ(retained_.count(), 0u);
  EXPECT_EQ(retained_.bytes(), 0u);
  store("never/there", "");
  EXPECT_EQ(retained_.count(), 0u);
}

TEST_F(RetainedMessagesTest, FindsByTopicNotByFilter) {
  store("a/b", "1");
  ASSERT_TRUE(retained_.find("a/b"));
  EXPECT_EQ(as_text(retained_.find("a/b")->payload()), "1");
  EXPECT_FALSE(retained_.find("a"));
  EXPECT_FALSE(retained_.find("a/b/c"));
}

TEST_F(RetainedMessagesTest, ReplaysWhatAWildcardFilterMatches) {
  for (const char* topic : {"a", "a/b", "a/b/c", "a/c", "b", "$SYS/a", "a-b"}) store(topic, "x");
  EXPECT_THAT(replay("a/#"), UnorderedElementsAre("a=x", "a/b=x", "a/b/c=x", "a/c=x"));
  EXPECT_THAT(replay("+/b"), UnorderedElementsAre("a/b=x"));
  EXPECT_THAT(replay("#"), UnorderedElementsAre("a=x", "a/b=x", "a/b/c=x", "a/c=x", "b=x", "a-b=x"));
  EXPECT_THAT(replay("$SYS/#"), UnorderedElementsAre("$SYS/a=x"));
}

TEST_F(RetainedMessagesTest, ReplaysNothingThatWasStoredLater) {
  store("a/1", "before");
  store("a/2", "before");
  const std::uint64_t version = retained_.begin_replay();
  store("a/2", "after");
  store("a/3", "after");
  EXPECT_THAT(replay_from(version, "a/+"), ElementsAre("a/1=before"));
  EXPECT_THAT(replay_from(version, "a/2"), IsEmpty());
  EXPECT_THAT(replay_from(version, "a/1"), ElementsAre("a/1=before"));
}

TEST_F(RetainedMessagesTest, StampsEveryMessageInTheOrderOfStoring) {
  const MessageRef first = message("a", "1");
  const MessageRef removal = message("a", "");
  const MessageRef removal_of_nothing = message("b", "");
  ASSERT_TRUE(retained_.store(first));
  const std::uint64_t between = retained_.begin_replay();
  ASSERT_TRUE(retained_.store(removal));
  ASSERT_TRUE(retained_.store(removal_of_nothing));
  EXPECT_GT(first->retained_version(), 0u);
  EXPECT_LE(first->retained_version(), between);
  EXPECT_GT(removal->retained_version(), between);
  EXPECT_GT(removal_of_nothing->retained_version(), removal->retained_version());
}

TEST_F(RetainedMessagesTest, ReplaysNothingThatHasExpired) {
  store("a/1", "x", kStart + Duration{10});
  store("a/2", "x");
  EXPECT_THAT(replay("a/+", kStart + Duration{9}), UnorderedElementsAre("a/1=x", "a/2=x"));
  EXPECT_THAT(replay("a/+", kStart + Duration{10}), ElementsAre("a/2=x"));
  EXPECT_THAT(replay("a/1", kStart + Duration{10}), IsEmpty());
}

TEST_F(RetainedMessagesTest, AReplayInPiecesGivesEachEntryOnce) {
  for (int i = 0; i < 600; ++i) store("dev/" + std::to_string(i) + "/state", std::to_string(i));
  const std::vector<std::string> at_once = replay("dev/+/state");
  EXPECT_EQ(at_once.size(), 600u);
  EXPECT_EQ(replay("dev/+/state", kStart, 1), at_once);
  EXPECT_EQ(replay("dev/+/state", kStart, 7), at_once);
}

TEST_F(RetainedMessagesTest, AReplayGoesOnBehindAnEntryThatWasRemovedMeanwhile) {
  for (int i = 0; i < 200; ++i) store("dev/" + std::to_string(i), "x");
  const std::uint64_t version = retained_.begin_replay();
  RetainedCursor cursor;
  std::vector<std::string> seen;
  for (bool goes_on = true; goes_on;) {
    std::vector<MessageRef> out;
    goes_on = retained_.read("dev/#", version, kStart, 1, cursor, out);
    for (const MessageRef& m : out) {
      seen.emplace_back(m->topic());
      store(m->topic(), "");
    }
  }
  EXPECT_EQ(seen.size(), 200u);
  EXPECT_EQ(retained_.count(), 0u);
}

TEST_F(RetainedMessagesTest, ACallVisitsABoundedPartOfALargeTree) {
  RetainedMessages large(100'000, 1'000'000'000);
  for (int i = 0; i < 20'000; ++i) ASSERT_TRUE(large.store(message("dev/" + std::to_string(i) + "/b", "x")));
  RetainedCursor cursor;
  std::vector<MessageRef> out;
  int calls = 0;
  // Every topic must be looked at, or the place behind it; none matches.
  while (large.read("dev/+/a", large.begin_replay(), kStart, 10, cursor, out)) ++calls;
  EXPECT_THAT(out, IsEmpty());
  EXPECT_GT(calls, 20);
}

TEST_F(RetainedMessagesTest, AShortLookSeesThatNothingMatches) {
  for (int i = 0; i < 500; ++i) store("plant/" + std::to_string(i) + "/state", "on");
  for (const char* filter : {"plant/500/+", "other/#", "+", "plant/500/state"}) {
    RetainedCursor cursor;
    std::vector<MessageRef> out;
    EXPECT_FALSE(retained_.read(filter, retained_.begin_replay(), kStart, 1, cursor, out,
                                RetainedMessages::kVisitsForALook))
        << filter;
    EXPECT_THAT(out, IsEmpty());
  }
}

TEST_F(RetainedMessagesTest, AFinishedReplayStaysFinished) {
  store("a", "x");
  for (const char* filter : {"a", "+"}) {
    RetainedCursor cursor;
    std::vector<MessageRef> out;
    EXPECT_FALSE(retained_.read(filter, retained_.begin_replay(), kStart, kNoLimit, cursor, out));
    EXPECT_FALSE(retained_.read(filter, retained_.begin_replay(), kStart, kNoLimit, cursor, out));
    EXPECT_EQ(out.size(), 1u) << filter;
  }
}

TEST(RetainedMessagesLimits, RefusesNewTopicsWhenFullAndStillReplacesAndRemoves) {
  RetainedMessages retained(2, 1'000);
  EXPECT_TRUE(retained.store(message("a", "1")));
  EXPECT_TRUE(retained.store(message("b", "1")));
  const MessageRef refused = message("c", "1");
  EXPECT_FALSE(retained.store(refused));
  EXPECT_EQ(refused->retained_version(), 0u);
  EXPECT_FALSE(retained.find("c"));
  EXPECT_TRUE(retained.store(message("a", "2")));
  EXPECT_TRUE(retained.store(message("b", "")));
  EXPECT_TRUE(retained.store(message("c", "1")));
  EXPECT_EQ(retained.count(), 2u);
}

TEST(RetainedMessagesLimits, CountsBytesOfTopicAndPayload) {
  RetainedMessages retained(100, 10);
  EXPECT_TRUE(retained.store(message("abc", "12345")));
  EXPECT_EQ(retained.bytes(), 8u);
  EXPECT_FALSE(retained.store(message("x", "12")));
  EXPECT_TRUE(retained.store(message("x", "1")));
  EXPECT_TRUE(retained.store(message("abc", "")));
  EXPECT_EQ(retained.bytes(), 2u);
}

TEST(RetainedMessagesSweep, RemovesExpiredEntriesBitByBit) {
  RetainedMessages retained(10'000, 1'000'000);
  for (int i = 0; i < 3'000; ++i) {
    const MonoTime expires = i % 3 == 0 ? kNever : kStart + Duration{i};
    ASSERT_TRUE(retained.store(message("t/" + std::to_string(i), "x", expires)));
  }
  retained.sweep(kStart);
  EXPECT_EQ(retained.count(), 3'000u);
  const MonoTime later = kStart + Duration{3'000};
  retained.sweep(later);
  EXPECT_GT(retained.count(), 1'000u) << "one call is bounded";
  for (int call = 0; call < 100; ++call) retained.sweep(later);
  EXPECT_EQ(retained.count(), 1'000u);
  EXPECT_TRUE(retained.find("t/0"));
  EXPECT_FALSE(retained.find("t/1"));
}

TEST(RetainedMessagesSweep, SparesWhatHasNotExpired) {
  RetainedMessages retained(10, 1'000);
  ASSERT_TRUE(retained.store(message("a", "x", kStart + Duration{10})));
  ASSERT_TRUE(retained.store(message("b", "x", kStart + Duration{20})));
  retained.sweep(kStart + Duration{10});
  EXPECT_FALSE(retained.find("a")) << "so few entries are all visited by one call";
  EXPECT_TRUE(retained.find("b"));
}

// Against a map that is searched from end to end.
rc::Gen<std::string> topic_of(const std::vector<std::string>& choice) {
  const auto levels = rc::gen::nonEmpty(
      rc::gen::resize(4, rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(choice))));
  return rc::gen::map(levels, [](const std::vector<std::string>& some) {
    std::string text;
    for (const std::string& level : some) text += "/" + level;
    return text.substr(1);
  });
}
const std::vector<std::string> kLevels{"a", "b", "", "a-b", "a b", "$x", "z"};

RC_GTEST_PROP(RetainedMessagesModel, ReplaysWhatALookAtEveryTopicFinds, ()) {
  std::vector<std::string> filter_levels = kLevels;
  filter_levels.insert(filter_levels.end(), {"+", "+", "+"});
  const auto topics = *rc::gen::container<std::vector<std::string>>(
      rc::gen::suchThat(topic_of(kLevels), mqtt::is_valid_topic_name));
  auto filter = *rc::gen::suchThat(topic_of(filter_levels), mqtt::is_valid_topic_filter);
  if (*rc::gen::arbitrary<bool>()) filter += "/#";
  const auto count_max = *rc::gen::inRange<std::size_t>(1, 5);

  RetainedMessages retained(1000, 1'000'000);
  std::map<std::string, std::string> model;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    const std::string payload = i % 4 == 3 ? "" : std::to_string(i);
    RC_ASSERT(retained.store(message(topics[i], payload)));
    payload.empty() ? void(model.erase(topics[i])) : void(model[topics[i]] = payload);
  }
  std::vector<std::string> expected;
  for (const auto& [topic, payload] : model) {
    if (mqtt::matches(filter, topic)) expected.push_back(topic + "=" + payload);
  }
  std::vector<MessageRef> out;
  RetainedCursor cursor;
  const std::uint64_t version = retained.begin_replay();
  while (retained.read(filter, version, kStart, count_max, cursor, out)) {
  }
  std::vector<std::string> found = texts(out);
  std::sort(found.begin(), found.end());
  std::sort(expected.begin(), expected.end());
  RC_ASSERT(found == expected);
  RC_ASSERT(retained.count() == model.size());
}

}  // namespace
}  // namespace nightjar::broker
