#include "store/memory_store.h"

#include <gtest/gtest.h>

namespace nightjar::store {
namespace {

broker::Record record() {
  return {.kind = broker::RecordKind::kSession, .shard = {3}, .key = "client", .detail = {}};
}

TEST(MemoryStore, CommitsEachRecordAtOnce) {
  MemoryStore store;
  const broker::StoreTicket first = store.append({0}, record());
  const broker::StoreTicket second = store.append({0}, record());
  EXPECT_LT(first, second);
  EXPECT_GE(store.committed({0}), second);
}

TEST(MemoryStore, KeepsThePositionsOfWorkersApart) {
  MemoryStore store;
  store.append({0}, record());
  EXPECT_EQ(store.committed({1}), 0u);
}

TEST(MemoryStore, SaysThatARestartForgets) { EXPECT_TRUE(MemoryStore{}.is_volatile()); }

}  // namespace
}  // namespace nightjar::store
