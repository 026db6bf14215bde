// RocksDB as four tables: opened with every check, written in batches, read in the order of the keys. Any
// thread may read and copy; one thread at a time writes.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "broker/durable/changes.h"
#include "broker/ports.h"
#include "store/rocks_options.h"
#include "store/store_counters.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Status;
class WalFilter;
class WriteBatch;
}  // namespace rocksdb

namespace nightjar::store {

struct WriteFailure {
  std::string reason;  // as RocksDB says it
  bool is_disk_full = false;
};

// Sees an entry; false ends the scan.
using EntryVisitor = std::function<bool(std::string_view key, std::string_view value)>;

class Database {
 public:
  // Work in the background failed: nothing can be written until the database is opened anew. On any thread,
  // also on one that is in write(); not to call the database back.
  using OnTrouble = std::function<void(WriteFailure)>;

  // Makes a store where none is. `counters`, if any, get the background work and outlive the database.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& directory,
                                                const RocksOptions& options, OnTrouble on_trouble,
                                                StoreCounters* counters = nullptr);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Changes that become durable together. Refers to the database it was made for.
  class Batch {
   public:
    // For about so many bytes of changes.
    Batch(const Database& database, std::size_t bytes);
    ~Batch();
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

    // In this order behind what was added before. `changes` live until the batch does not; `retained` is
    // asked now, once for each topic.
    void add(const broker::Changes& changes, const broker::RetainedReader& retained);
    [[nodiscard]] std::size_t bytes() const;

   private:
    friend class Database;
    void refresh(std::string_view topic, const broker::RetainedReader& retained);

    const Database& database_;
    std::unique_ptr<rocksdb::WriteBatch> writes_;
    boost::unordered_flat_set<std::string_view> refreshed_;
    ByteBuffer value_;
  };

  // After a failure every further write fails too.
  enum class Until : std::uint8_t { kWithTheSystem, kOnDisk };
  Result<void, WriteFailure> write(Batch& batch, Until until);
  // Whether the disk takes anything.
  Result<void, WriteFailure> try_to_write();

  // From `from` on, up to and without `to`; an empty `to` is the end of the table.
  Result<void> scan(broker::Table table, std::string_view from, std::string_view to,
                    const EntryVisitor& visit) const;

  // A store of its own in `target`, which must not be there yet: what was durable at the call, and perhaps
  // more.
  Result<void> copy_to(const std::filesystem::path& target) const;

  // Bytes of the bodies of messages on the disk, wanted or not.
  [[nodiscard]] std::uint64_t body_bytes() const;

 private:
  Database(std::filesystem::path directory, const RocksOptions& options);
  Result<void> open_tables(OnTrouble on_trouble, StoreCounters* counters);
  void tend_garbage();
  [[nodiscard]] std::uint64_t property(const std::string& name) const;
  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(broker::Table table) const {
    return tables_[static_cast<std::size_t>(table)];
  }

  const std::filesystem::path directory_;
  const RocksOptions options_;
  StoreCounters* counters_ = nullptr;
  std::unique_ptr<rocksdb::WalFilter> log_reading_;
  std::unique_ptr<rocksdb::DB> database_;
  std::vector<rocksdb::ColumnFamilyHandle*> tables_;
  std::size_t written_unseen_ = 0;  // bytes since the last look at the garbage
  bool is_collecting_ = false;
};

}  // namespace nightjar::store
