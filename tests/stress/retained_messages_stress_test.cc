#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "broker/retained/retained_messages.h"
#include "broker/routing/subscription_tree.h"

namespace nightjar::broker {
namespace {

constexpr WorkerIndex kPublisher{0};
constexpr WorkerIndex kSubscriber{1};
constexpr MonoTime kNow{0};

MessageRef message(std::string_view topic, std::string_view payload) {
  return Message::make({.topic = topic, .payload = as_bytes(payload), .properties = {}, .retain = true});
}

// One subscriber and one publisher meet at the same moment, again and again.
class SubscribeAgainstPublish {
 public:
  static constexpr int kRounds = 4'000;
  static constexpr int kTopics = 4;

  void publish() {
    for (int round = 0; round < kRounds; ++round) {
      for (int t = 0; t < kTopics; ++t) EXPECT_TRUE(retained_.store(message(topic(t), "old")));
      begin_.arrive_and_wait();
      if (failed_) return;
      for (int t = 0; t < kTopics; ++t) {
        published_[t] = message(topic(t), "new");
        EXPECT_TRUE(retained_.store(published_[t]));
        std::vector<Match> matches;
        tree_.match(topic(t), matches);
        arrived_live_[t] = !matches.empty();
      }
      tree_.quiescent(kPublisher);
      end_.arrive_and_wait();
    }
  }

  void subscribe() {
    for (int round = 0; round < kRounds; ++round) {
      failed_ = ::testing::Test::HasFailure();
      begin_.arrive_and_wait();
      if (failed_) return;
      tree_.add("t/+", kSubscriber);
      const std::uint64_t version = retained_.begin_replay();
      std::vector<MessageRef> replayed;
      RetainedCursor cursor;
      while (retained_.read("t/+", version, kNow, 2, cursor, replayed)) {
      }
      end_.arrive_and_wait();
      check(version, replayed);
      tree_.remove("t/+", kSubscriber);
      tree_.quiescent(kSubscriber);
    }
  }

  // How often each way of seeing the new value occurred.
  int by_replay = 0;
  int live = 0;

 private:
  static std::string topic(int t) { return "t/" + std::to_string(t); }

  void check(std::uint64_t version, const std::vector<MessageRef>& replayed) {
    for (int t = 0; t < kTopics; ++t) {
      const auto same = [&](const MessageRef& m) { return m->topic() == topic(t); };
      ASSERT_LE(std::count_if(replayed.begin(), replayed.end(), same), 1) << "each topic once";
      const auto found = std::find_if(replayed.begin(), replayed.end(), same);
      const bool new_replayed = found != replayed.end() && as_text((*found)->payload()) == "new";
      ASSERT_TRUE(found != replayed.end() || arrived_live_[t]) << "neither the old nor the new value";
      // What a replay covers it brings; what it does not cover comes live.
      if (published_[t]->retained_version() <= version) {
        ASSERT_TRUE(new_replayed);
        ++by_replay;
      } else {
        ASSERT_FALSE(new_replayed);
        ASSERT_TRUE(arrived_live_[t]);
        ++live;
      }
    }
  }

  SubscriptionTree tree_{2};
  RetainedMessages retained_{1'000, 1'000'000};
  std::barrier<> begin_{2};
  std::barrier<> end_{2};
  MessageRef published_[kTopics];
  bool arrived_live_[kTopics] = {};
  bool failed_ = false;  // ends both threads at the same meeting
};

TEST(RetainedMessagesStress, ASubscriberSeesTheOldOrTheNewValueNeverNeither) {
  SubscribeAgainstPublish race;
  std::thread publisher([&] { race.publish(); });
  std::thread subscriber([&] { race.subscribe(); });
  publisher.join();
  subscriber.join();
  EXPECT_EQ(race.by_replay + race.live, SubscribeAgainstPublish::kRounds * SubscribeAgainstPublish::kTopics);
}

TEST(RetainedMessagesStress, AReplayUnderChurnFindsEveryTopicThatStays) {
  constexpr int kStaying = 300;
  RetainedMessages retained(100'000, 100'000'000);
  for (int i = 0; i < kStaying; ++i) ASSERT_TRUE(retained.store(message("s/" + std::to_string(i), "x")));
  std::atomic<int> writers_left{2};
  std::vector<std::thread> threads;
  for (int writer = 0; writer < 2; ++writer) {
    threads.emplace_back([&, writer] {
      std::mt19937 random(static_cast<unsigned>(writer));
      for (int i = 0; i < 10'000; ++i) {
        const std::string topic = "s/" + std::to_string(writer) + "." + std::to_string(random() % 200);
        EXPECT_TRUE(retained.store(message(topic, random() % 2 == 0 ? "" : "y")));
        if (i % 100 == 0) retained.sweep(kNow);
      }
      writers_left.fetch_sub(1);
    });
  }
  threads.emplace_back([&] {
    do {
      std::vector<MessageRef> out;
      RetainedCursor cursor;
      const std::uint64_t version = retained.begin_replay();
      while (retained.read("s/+", version, kNow, 10, cursor, out)) {
      }
      std::set<std::string_view> topics;
      for (const MessageRef& m : out) EXPECT_TRUE(topics.insert(m->topic()).second) << "once: " << m->topic();
      for (int i = 0; i < kStaying; ++i) ASSERT_TRUE(topics.contains("s/" + std::to_string(i)));
    } while (writers_left.load() > 0);
  });
  for (std::thread& thread : threads) thread.join();
  std::uint64_t bytes = 0;
  std::vector<MessageRef> rest;
  RetainedCursor cursor;
  while (retained.read("#", retained.begin_replay(), kNow, 1'000, cursor, rest)) {
  }
  for (const MessageRef& m : rest) bytes += m->size();
  EXPECT_EQ(retained.count(), rest.size());
  EXPECT_EQ(retained.bytes(), bytes);
}

}  // namespace
}  // namespace nightjar::broker
