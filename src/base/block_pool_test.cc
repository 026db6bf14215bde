#include "base/block_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

namespace nightjar {
namespace {

TEST(BlockPool, GivesAFreedBlockOfTheSameSizeAgain) {
  BlockPool pool;
  void* const block = pool.allocate(100);
  std::memset(block, 1, 100);
  pool.free(block, 100);
  void* const other = pool.allocate(300);
  EXPECT_NE(other, block);
  EXPECT_EQ(pool.allocate(120), block) << "100 and 120 bytes are of one class";
  pool.free(block, 120);
  pool.free(other, 300);
}

TEST(BlockPool, LeavesLargeBlocksToTheHeap) {
  BlockPool pool;
  void* const large = pool.allocate(1'000'000);
  std::memset(large, 1, 1'000'000);
  pool.free(large, 1'000'000);
}

TEST(BlockPool, KeepsABoundedNumberAndMayBeTrimmed) {
  BlockPool pool;
  std::vector<void*> blocks(5000);
  for (void*& block : blocks) block = pool.allocate(64);
  for (void* block : blocks) pool.free(block, 64);
  pool.trim();
  void* const after = pool.allocate(64);
  std::memset(after, 1, 64);
  pool.free(after, 64);
}

TEST(BlockPool, TakesBlocksOfOtherThreads) {
  void* block = nullptr;
  std::thread{[&] { block = BlockPool::local().allocate(64); }}.join();
  std::memset(block, 1, 64);
  BlockPool::local().free(block, 64);
  EXPECT_EQ(BlockPool::local().allocate(64), block);
  BlockPool::local().free(block, 64);
}

}  // namespace
}  // namespace nightjar
