// A store that no broker serves, read and never changed: also one that is damaged, whose rows come from
// around the damage. Any thread, one at a time; the caller holds the lock of the data directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/durable/audit.h"
#include "broker/durable/changes.h"
#include "store/database.h"
#include "store/rocks_options.h"

namespace rocksdb {
class Status;
struct LiveFileMetaData;
}  // namespace rocksdb

namespace nightjar::store {

// What is wrong with a file, beside the rows that cannot be read because of it.
struct FileDamage {
  std::string file;
  std::string why;
  std::string effect;
};

// Changes that were durable once and that nobody reads any more.
struct LogDamage {
  std::string why;
  broker::Changes lost;  // of what lies behind the damage; what was in its place nobody knows
};

struct TableSize {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  // with the files that hold large messages
};

class ReadOnlyStore {
 public:
  using UnreadVisitor = std::function<void(const broker::UnreadRows&)>;

  // Fails if there is no store, if it is of a newer format, or if nothing can be saved. When RocksDB itself
  // cannot go round the damage, that is done in a copy beside `directory`, of links, which is gone with this.
  static Result<std::unique_ptr<ReadOnlyStore>> open(const std::filesystem::path& directory,
                                                     const RocksOptions& options);
  ~ReadOnlyStore();
  ReadOnlyStore(const ReadOnlyStore&) = delete;
  ReadOnlyStore& operator=(const ReadOnlyStore&) = delete;

  // All rows that can be read, in the order of the keys, and in their places those that cannot.
  void read(broker::Table table, const EntryVisitor& visit, const UnreadVisitor& unread) const;
  // Reads every file to its end.
  [[nodiscard]] std::vector<FileDamage> check_files() const;
  [[nodiscard]] std::optional<LogDamage> check_log() const;

  [[nodiscard]] TableSize size_of(broker::Table table) const;
  [[nodiscard]] std::uint64_t log_bytes() const;
  [[nodiscard]] std::uint32_t format() const;

 private:
  struct Opened;
  struct Scratch;
  class Pass;

  ReadOnlyStore(std::filesystem::path directory, const RocksOptions& options);
  rocksdb::Status open_database(const std::filesystem::path& at);
  Result<void> rebuild(const rocksdb::Status& reason);
  Result<void> leave_out_unusable_files();
  void leave_out(const rocksdb::LiveFileMetaData& file);
  Result<void> make_scratch();
  [[nodiscard]] std::string told(const rocksdb::Status& status) const;

  const std::filesystem::path directory_;
  const RocksOptions options_;
  std::unique_ptr<Scratch> scratch_;
  std::unique_ptr<Opened> opened_;
  std::vector<FileDamage> damage_;  // known from opening
};

}  // namespace nightjar::store
