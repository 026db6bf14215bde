#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "broker/routing/subscription_tree.h"
#include "mqtt/topic.h"

namespace nightjar::broker {
namespace {

// The bit of a worker stands for one filter here, so that a match tells which filters were found. The threads
// below run as the first few workers; the others sleep.
struct Filter {
  const char* text;
  // Counts the steps of its life: 4n absent, 4n+1 being added, 4n+2 present, 4n+3 being removed.
  std::atomic<std::uint64_t> step{0};

  [[nodiscard]] static bool is_present(std::uint64_t step) { return step % 4 == 2; }
  [[nodiscard]] static bool is_absent(std::uint64_t step) { return step % 4 == 0; }
};

constexpr std::size_t kPermanent = 6;
// Together they make, change and remove every kind of node: leaves, inner nodes, '+', '#', single children.
std::array<Filter, 30> filters{{
    {"a/b/c"},       {"a/+/c"},       {"#"},       {"a/b/#"},       {"dev/7/state"}, {"$SYS/+"},  // permanent
    {"a"},           {"a/b"},         {"a/#"},     {"+/b/c"},       {"a/b/+"},       {"+/+/+"},
    {"a/b/c/#"},     {"a/b/c/d"},  // of the first writer
    {"dev/7/#"},     {"dev/+/state"}, {"dev/7/+"}, {"dev/8/state"}, {"+"},           {"+/#"},
    {"a/+/+"},       {"+/+/c"},       {"x/y/z"},   {"x/y"},         {"x/#"},         {"x"},
    {"/"},           {"//"},  // of the second
    {"$SYS/uptime"}, {"$SYS/#"},
}};
constexpr std::size_t kSecondWriterBegins = 18;
constexpr std::array kTopics{
    "a",   "a/b", "a/b/c", "a/b/c/d", "dev/7/state", "dev/8/state", "x/y/z",
    "x/y", "x",   "/",     "//",      "$SYS/uptime", "$SYS/load",   "nobody/wants/this"};

WorkerIndex owner(std::size_t filter) { return {static_cast<std::uint16_t>(filter)}; }

class TreeUnderStress {
 public:
  TreeUnderStress() {
    for (std::uint16_t worker = 0; worker < kWorkersMax; ++worker) tree_.offline({worker});
    idle_bytes_ = tree_.memory_bytes();
    for (Filter& filter : filters) filter.step = 0;
    for (std::size_t i = 0; i < kPermanent; ++i) add(i);
  }

  void write(WorkerIndex self, std::size_t begin, std::size_t end, int rounds) {
    tree_.online(self);
    std::mt19937 random(self.value);
    for (int round = 0; round < rounds; ++round) {
      const std::size_t i = begin + random() % (end - begin);
      Filter::is_absent(filters[i].step.load()) ? add(i) : remove(i);
      churn_siblings(self, random());
      tree_.advance_version();
      if (round % 8 == 0) tree_.quiescent(self);
    }
    for (std::size_t i = begin; i < end; ++i) {
      if (!Filter::is_absent(filters[i].step.load())) remove(i);
    }
    tree_.offline(self);
    writers_left_.fetch_sub(1);
  }

  void read(WorkerIndex self, std::atomic<std::uint64_t>& matches) {
    std::mt19937 random(self.value);
    std::vector<Match> out;
    while (writers_left_.load() > 0) {
      tree_.online(self);
      for (int turn = 0; turn < 20; ++turn) {
        for (int message = 0; message < 5; ++message) check_match(kTopics[random() % kTopics.size()], out);
        matches.fetch_add(5, std::memory_order_relaxed);
        tree_.quiescent(self);
      }
      tree_.offline(self);
    }
  }

  void finish() {
    for (std::size_t i = 0; i < kPermanent; ++i) remove(i);
    EXPECT_EQ(tree_.filter_count(), 0u);
    for (int turn = 0; turn < 10'000 && tree_.memory_bytes() != idle_bytes_; ++turn) tree_.offline({0});
    EXPECT_EQ(tree_.memory_bytes(), idle_bytes_) << "everything was given back";
  }

 private:
  void add(std::size_t i) {
    filters[i].step.fetch_add(1);
    tree_.add(filters[i].text, owner(i));
    filters[i].step.fetch_add(1);
  }
  void remove(std::size_t i) {
    filters[i].step.fetch_add(1);
    tree_.remove(filters[i].text, owner(i));
    filters[i].step.fetch_add(1);
  }
  // Neighbours of the watched filters, so that the tables around them grow and shrink all the time.
  void churn_siblings(WorkerIndex self, std::uint64_t number) {
    const std::string device = std::to_string(self.value) + "." + std::to_string(number % 500);
    const WorkerIndex noise{kWorkersMax - 1};
    tree_.add("dev/" + device + "/#", noise);
    tree_.add("a/" + device, noise);
    tree_.remove("dev/" + device + "/#", noise);
    tree_.remove("a/" + device, noise);
  }

  void check_match(const char* topic, std::vector<Match>& out) const {
    std::array<std::uint64_t, filters.size()> before;
    for (std::size_t i = 0; i < filters.size(); ++i) before[i] = filters[i].step.load();
    out.clear();
    tree_.match(topic, out);
    WorkerSet found = 0;
    for (const Match& match : out) found |= match.workers;
    for (std::size_t i = 0; i < filters.size(); ++i) {
      const bool is_found = (found & bit(owner(i))) != 0;
      if (!mqtt::matches(filters[i].text, topic)) {
        ASSERT_FALSE(is_found) << filters[i].text << " does not match " << topic;
      } else if (filters[i].step.load() == before[i]) {
        ASSERT_FALSE(Filter::is_present(before[i]) && !is_found) << filters[i].text << " misses " << topic;
        ASSERT_FALSE(Filter::is_absent(before[i]) && is_found)
            << filters[i].text << " is gone, found for " << topic;
      }
    }
  }

  SubscriptionTree tree_{kWorkersMax};
  std::size_t idle_bytes_ = 0;
  std::atomic<int> writers_left_{2};
};

TEST(SubscriptionTreeStress, WhatIsThereIsFoundAndWhatIsGoneIsNot) {
  TreeUnderStress stress;
  std::atomic<std::uint64_t> matches{0};
  std::vector<std::thread> threads;
  for (std::uint16_t reader = 0; reader < 2; ++reader) {
    threads.emplace_back([&, reader] { stress.read({reader}, matches); });
  }
  threads.emplace_back([&] { stress.write({2}, kPermanent, kSecondWriterBegins, 5'000); });
  threads.emplace_back([&] { stress.write({3}, kSecondWriterBegins, filters.size(), 5'000); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(matches.load(), 0u);
  stress.finish();
}

}  // namespace
}  // namespace nightjar::broker
