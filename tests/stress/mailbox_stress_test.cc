#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

#include "net/mailbox.h"

namespace nightjar::net {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPosters = 3;
constexpr std::uint32_t kBatches = 20'000;  // of each poster
// Far beyond any pause of the machine: whoever waits that long was never woken.
constexpr auto kLostWakeUp = 60s;

std::unique_ptr<broker::MailBatch> batch_of(std::uint16_t poster, std::uint32_t number) {
  auto batch = std::make_unique<broker::MailBatch>();
  batch->from = {poster};
  batch->filters.push_back({number});
  return batch;
}

class MailboxStress : public ::testing::Test {
 protected:
  // Begins when the worker has fallen asleep once; the first poster pauses so that it does so again.
  void post_all(std::uint16_t poster) {
    sleeps_.wait(0);
    for (std::uint32_t number = 0; number < kBatches; ++number) {
      if (mailbox_.post(batch_of(poster, number))) {
        wake_ups_.fetch_add(1);
        bell_.release();
      }
      if (poster == 0) std::this_thread::yield();
    }
  }

  void take_all() {
    std::array<std::uint32_t, kPosters> expected{};
    while (taken_ < kPosters * kBatches) {
      mailbox_.take([&](std::unique_ptr<broker::MailBatch> batch) {
        EXPECT_EQ(batch->next, nullptr);
        EXPECT_EQ(batch->filters.front().value, expected[batch->from.value]++) << "in the order of posting";
        ++taken_;
      });
      if (taken_ == kPosters * kBatches || !mailbox_.may_sleep()) continue;
      sleeps_.fetch_add(1);
      sleeps_.notify_all();
      ASSERT_TRUE(bell_.try_acquire_for(kLostWakeUp)) << "asleep with mail, after " << taken_ << " batches";
      mailbox_.woke_up();
    }
  }

  Mailbox mailbox_;
  std::counting_semaphore<> bell_{0};
  std::atomic<std::uint32_t> wake_ups_{0};
  std::uint32_t taken_ = 0;
  std::atomic<std::uint32_t> sleeps_{0};
};

TEST_F(MailboxStress, EveryBatchArrivesOnceInOrderAndNoWakeUpIsLost) {
  std::vector<std::thread> threads;
  for (std::uint16_t poster = 0; poster < kPosters; ++poster) {
    threads.emplace_back([this, poster] { post_all(poster); });
  }
  std::thread worker([this] { take_all(); });
  for (std::thread& thread : threads) thread.join();
  worker.join();
  EXPECT_EQ(taken_, kPosters * kBatches);
  EXPECT_GE(wake_ups_.load(), sleeps_.load());
}

TEST_F(MailboxStress, OfManyPostersOneWakesTheSleeper) {
  for (int round = 0; round < 300; ++round) {
    ASSERT_TRUE(mailbox_.may_sleep());
    std::atomic<int> wakers{0};
    std::vector<std::thread> threads;
    for (std::uint16_t poster = 0; poster < kPosters; ++poster) {
      threads.emplace_back([&, poster] {
        if (mailbox_.post(batch_of(poster, 0))) wakers.fetch_add(1);
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(wakers.load(), 1);
    int taken = 0;
    mailbox_.take([&](std::unique_ptr<broker::MailBatch>) { ++taken; });
    ASSERT_EQ(taken, kPosters);
  }
}

TEST_F(MailboxStress, WhatWasNeverTakenIsFreed) {
  for (std::uint32_t number = 0; number < 10; ++number) EXPECT_FALSE(mailbox_.post(batch_of(0, number)));
}

}  // namespace
}  // namespace nightjar::net
