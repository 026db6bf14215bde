#include "store/memory_store.h"

#include <gtest/gtest.h>

namespace nightjar::store {
namespace {

TEST(MemoryStore, SaysThatARestartForgets) { EXPECT_TRUE(MemoryStore{}.is_volatile()); }

}  // namespace
}  // namespace nightjar::store
