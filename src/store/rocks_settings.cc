#include "store/rocks_settings.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <memory>

#include "base/log.h"

namespace nightjar::store {
namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;

// What RocksDB wants to say goes to the broker's own log, and only there: its log files would grow while
// nothing happens. What a user must know comes as the status of a call, so this is for whoever looks closer.
class LogAtDebug final : public rocksdb::Logger {
 public:
  LogAtDebug() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::InfoLogLevel::WARN_LEVEL || !log::enabled(log::Level::kDebug)) return;
    std::array<char, kLineBytesMax> line{};
    std::vsnprintf(line.data(), line.size(), format, arguments);
    log::debug(fmt::format("RocksDB: {}", line.data()));
  }

 private:
  static constexpr std::size_t kLineBytesMax = 1024;
};

bool has_lz4() {
  const auto supported = rocksdb::GetSupportedCompressions();
  return std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
}

std::shared_ptr<rocksdb::TableFactory> table_files(const RocksOptions& options) {
  rocksdb::BlockBasedTableOptions files;
  // One shard: the committer and the reader hardly ever meet in it.
  files.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes, 0);
  // Else indexes of all open files come on top of the cache's limit.
  files.cache_index_and_filter_blocks = true;
  files.block_size = 16 * kKiB;
  files.format_version = 5;
  return std::shared_ptr<rocksdb::TableFactory>(rocksdb::NewBlockBasedTableFactory(files));
}

}  // namespace

rocksdb::Env& env_of(const RocksOptions& options) {
  return options.env != nullptr ? *options.env : *rocksdb::Env::Default();
}

rocksdb::DBOptions database_settings(const RocksOptions& options) {
  rocksdb::DBOptions settings;
  settings.env = &env_of(options);
  settings.info_log = std::make_shared<LogAtDebug>();
  settings.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;

  // The log is read up to the first damaged place. A power cut leaves the last record in any state: cut
  // short, with pages that never arrived between others that did. kTolerateCorruptedTailRecords refuses to
  // start on the second and passes over zeros in the middle; this one starts on both, and check_wal() has
  // seen before that nothing lies behind the damaged place.
  settings.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  settings.paranoid_checks = true;
  settings.max_total_wal_size = options.wal_bytes_max;

  settings.db_write_buffer_size = options.write_buffers_bytes;
  settings.max_open_files = options.open_files_max;
  settings.table_cache_numshardbits = 2;
  settings.writable_file_max_buffer_size = 256 * kKiB;
  settings.compaction_readahead_size = 256 * kKiB;
  // One thread writes, so nothing is won by sharding its memory or by spinning for others.
  settings.allow_concurrent_memtable_write = false;
  settings.enable_write_thread_adaptive_yield = false;

  settings.max_background_jobs = 2;
  settings.max_file_opening_threads = 1;
  // No rate limit: what comes in faster than one lets out is written back too late, and then commits wait for
  // seconds. Nor a low priority for the processor: now and then the thread holds what commits need, and on a
  // busy machine it would not come to let it go.
  settings.env->LowerThreadPoolIOPriority(rocksdb::Env::LOW);
  // Not in one go at the end, which commits would have to wait for.
  settings.bytes_per_sync = kMiB;

  // Failed writes are dealt with in one place, RocksStore.
  settings.max_bgerror_resume_count = 0;
  // An idle broker writes nothing.
  settings.stats_dump_period_sec = 0;
  settings.stats_persist_period_sec = 0;
  settings.skip_stats_update_on_db_open = true;
  // It is written anew at every start, and grows with every flush.
  settings.max_manifest_file_size = 4 * kMiB;
  settings.manifest_preallocation_size = 64 * kKiB;
  return settings;
}

std::vector<rocksdb::ColumnFamilyDescriptor> table_settings(const RocksOptions& options) {
  rocksdb::ColumnFamilyOptions common;
  common.table_factory = table_files(options);
  // Never reached: RocksDB writes tables back when their sum is. When a write finds two tables over their own
  // limits and cannot make a new log, as on a full disk, RocksDB 7.8 keeps a reference too many and aborts at
  // the close.
  common.write_buffer_size = 4 * options.write_buffers_bytes;
  common.max_write_buffer_number = 3;
  // Memory is taken in these steps, by each table that is written at all.
  common.arena_block_size = 128 * kKiB;
  common.target_file_size_base = 16 * kMiB;
  common.max_bytes_for_level_base = 64 * kMiB;
  common.level_compaction_dynamic_level_bytes = true;
  common.compression = has_lz4() ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  // Age alone is no reason to write a file again.
  common.ttl = 0;
  common.periodic_compaction_seconds = 0;

  rocksdb::ColumnFamilyOptions queues = common;
  // Messages are written once and mostly gone before a compaction: keep their bodies out of it.
  queues.enable_blob_files = true;
  queues.min_blob_size = kKiB;
  queues.blob_file_size = 32 * kMiB;
  // Only while there is much garbage (Database::tend_garbage): a file goes by itself when nothing in it is
  // wanted, and collecting without need would write a message many times while it waits.
  queues.enable_blob_garbage_collection = false;
  queues.blob_garbage_collection_age_cutoff = 0.25;
  queues.blob_garbage_collection_force_threshold = 0.5;
  // Without bodies the tables that come out of memory are small. Merged four at a time, as is usual, each
  // merge would write a whole level again for them.
  constexpr int kNewTables = 8;
  queues.level0_file_num_compaction_trigger = kNewTables;
  queues.level0_slowdown_writes_trigger = 3 * kNewTables;
  queues.level0_stop_writes_trigger = 4 * kNewTables;

  // RocksDB insists on a family of this name; a fifth one would be for nothing.
  return {{rocksdb::kDefaultColumnFamilyName, common},
          {"sessions", common},
          {"queues", queues},
          {"retained", common}};
}

tl::unexpected<Error> store_error(const std::filesystem::path& directory, const rocksdb::Status& status) {
  const std::string said = status.ToString();
  if (status.IsIOError() && said.find("/LOCK") != std::string::npos) {
    return fail(
        fmt::format("the store in {} is in use by another process ({}): stop the other Nightjar, or give "
                    "another directory with --data",
                    directory.string(), said));
  }
  if (status.IsNoSpace()) {
    return fail(
        fmt::format("the disk with the store in {} is full ({}): free some space", directory.string(), said));
  }
  // A file that is gone is damage as well.
  if (status.IsCorruption() || status.IsPathNotFound()) {
    return fail(
        fmt::format("the store in {} is damaged ({}): \"nightjar store verify\" says what is lost, "
                    "\"nightjar store repair\" saves the rest",
                    directory.string(), said));
  }
  return fail(fmt::format("cannot use the store in {}: {}", directory.string(), said));
}

}  // namespace nightjar::store
