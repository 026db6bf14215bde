#include "store/rocks_settings.h"

#include <gtest/gtest.h>
#include <rocksdb/options.h>

#include "broker/durable/changes.h"

namespace nightjar::store {
namespace {

// Statistics, dumps of them, and files that are written again because they are old.
TEST(RocksSettings, NothingIsWrittenForNoReason) {
  const RocksOptions options;
  const rocksdb::DBOptions database = database_settings(options);
  EXPECT_EQ(database.stats_dump_period_sec, 0U);
  EXPECT_EQ(database.stats_persist_period_sec, 0U);
  const auto tables = table_settings(options);
  EXPECT_EQ(tables.size(), broker::kTableCount);
  for (const auto& table : tables) {
    EXPECT_EQ(table.options.ttl, 0U) << table.name;
    EXPECT_EQ(table.options.periodic_compaction_seconds, 0U) << table.name;
  }
}

}  // namespace
}  // namespace nightjar::store
