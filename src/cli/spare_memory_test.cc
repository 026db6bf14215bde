#include "cli/spare_memory.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "cli/stats.h"

namespace nightjar::cli {
namespace {

constexpr std::uint64_t kMuch = 100 << 20;

TEST(SpareMemory, IsGivenBackOnceALoadIsOver) {
  SpareMemory spare;
  EXPECT_FALSE(spare.look(Duration{3000}, kMuch)) << "the load goes on";
  EXPECT_FALSE(spare.look(Duration{6000}, kMuch));
  EXPECT_TRUE(spare.look(Duration{6050}, kMuch));
  EXPECT_FALSE(spare.look(Duration{6060}, kMuch)) << "nothing has happened since";
  EXPECT_FALSE(spare.look(Duration{6070}, kMuch));
  EXPECT_TRUE(spare.look(Duration{6200}, kMuch)) << "a little work adds up";
}

TEST(SpareMemory, IsLookedForLessOftenWhereThereIsNone) {
  SpareMemory spare;
  std::int64_t cpu_ms = 0;
  int looked = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (!spare.look(Duration{cpu_ms += 20}, kMuch)) continue;
    ++looked;
    spare.trimmed(kMuch, kMuch - 1000);
  }
  EXPECT_LT(looked, 12) << "and not 2000 times";
  EXPECT_FALSE(spare.look(Duration{cpu_ms += 200}, kMuch));
  spare.trimmed(kMuch, kMuch / 2);
  EXPECT_TRUE(spare.look(Duration{cpu_ms += 200}, kMuch)) << "it was worth it the last time";
}

TEST(SpareMemory, OfASmallProcessIsNotWorthTheTrouble) {
  SpareMemory spare;
  EXPECT_FALSE(spare.look(Duration{3000}, 6 << 20));
  EXPECT_FALSE(spare.look(Duration{3010}, 6 << 20));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(SpareMemory, LeavesTheProcessAlsoWhenSomethingLivesOnAboveIt) {
  const ResidentMemory memory;
  std::vector<std::unique_ptr<char[]>> pieces;
  for (int i = 0; i < 64 * 1024; ++i) {
    pieces.push_back(std::make_unique<char[]>(1000));
    pieces.back()[500] = 1;
  }
  const std::unique_ptr<char[]> last = std::make_unique<char[]>(1000);
  pieces.clear();
  const std::uint64_t before = memory.bytes();
  give_memory_back();
  EXPECT_LT(memory.bytes() + (32 << 20), before);
}
#endif

}  // namespace
}  // namespace nightjar::cli
