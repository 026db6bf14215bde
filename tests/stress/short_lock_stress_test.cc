#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/short_lock.h"

namespace nightjar {
namespace {

TEST(ShortLockStress, OneThreadAtATimeIsInside) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  ShortLock lock;
  int guarded = 0;  // not atomic on purpose
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        const ShortLockGuard guard(lock);
        ++guarded;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(guarded, kThreads * kRounds);
}

TEST(ShortLockStress, EverySleeperIsWoken) {
  constexpr int kThreads = 4;
  ShortLock lock;
  std::atomic<int> inside{0};
  lock.lock();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      const ShortLockGuard guard(lock);
      inside.fetch_add(1);
    });
  }
  for (int i = 0; i < 1'000; ++i) std::this_thread::yield();  // lets them try, and some of them fall asleep
  EXPECT_EQ(inside.load(), 0);
  lock.unlock();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(inside.load(), kThreads);
}

TEST(ShortLockStress, TryLockFailsWhileHeld) {
  ShortLock lock;
  ASSERT_TRUE(lock.try_lock());
  std::thread([&] { EXPECT_FALSE(lock.try_lock()); }).join();
  lock.unlock();
  std::thread([&] {
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
  }).join();
}

}  // namespace
}  // namespace nightjar
