#include "cli/store_repair.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "broker/durable/queue_rows.h"
#include "broker/durable/run.h"
#include "cli/store_report.h"
#include "net/fd.h"
#include "store/database.h"
#include "store/read_only_store.h"

namespace nightjar::cli {
namespace {

namespace fs = std::filesystem;
using broker::Table;

constexpr std::size_t kBatchBytes = std::size_t{4} * 1024 * 1024;
constexpr int kDamagedMax = 1000;

// Rows on their way into a new store.
class NewStore {
 public:
  static Result<NewStore> make(const fs::path& directory) {
    std::error_code error;
    fs::remove_all(directory, error);  // of a repair that was cut short; the damaged store is elsewhere
    NJ_TRY(auto database, store::Database::open(directory, {}, [](const store::WriteFailure&) {}));
    return NewStore(std::move(database));
  }
  // False when the disk takes no more.
  bool put(Table table, std::string_view key, std::string_view value) {
    // What is noted of stretches of a queue follows from the rows that are left.
    if (table == Table::kMeta && key.starts_with(broker::kStretchKind)) return true;
    changes_.put(table, key, value);
    if (table == Table::kQueues) note_row(key, value);
    return changes_.size_bytes() < kBatchBytes || write(store::Database::Until::kWithTheSystem);
  }
  Result<void> finish(const broker::Changes& mending) {
    if (write(store::Database::Until::kWithTheSystem)) {
      changes_ = {};
      mending.for_each(
          [this](const broker::Change& change) { changes_.put(change.table, change.key, change.value); });
      if (write(store::Database::Until::kOnDisk)) return {};
    }
    return fail(failure_->reason);
  }

 private:
  explicit NewStore(std::unique_ptr<store::Database> database) : database_(std::move(database)) {}
  void note_row(std::string_view key, std::string_view value) {
    const auto at = broker::read_queue_key(key);
    const auto entries = broker::read_queue_value(value, {});
    if (!at || !entries) return;
    if (std::exchange(queue_, at->queue.id) != at->queue.id) rows_ = {};
    const auto noted = rows_.add(at->row, broker::stretch_of(*entries), {});
    changes_.put(Table::kMeta, broker::stretch_key(at->queue, noted.stretch, {}),
                 broker::write_stretch(noted.record));
  }
  bool write(store::Database::Until until) {
    store::Database::Batch batch(*database_, changes_.size_bytes());
    batch.add(changes_, {});
    changes_ = {};
    if (failure_) return false;
    if (auto written = database_->write(batch, until); !written) failure_ = written.error();
    return !failure_;
  }
  std::unique_ptr<store::Database> database_;
  broker::Changes changes_;
  broker::QueueId queue_ = 0;  // the one whose rows come
  broker::QueueRows rows_;     // of that queue
  std::optional<store::WriteFailure> failure_;
};

Result<void> sync_directory(const fs::path& directory) {
  const net::Fd opened{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (opened && ::fsync(opened.get()) == 0) return {};
  return fail(fmt::format("cannot sync {}: {}", directory.string(), std::strerror(errno)));
}

// The first name that nobody has.
fs::path free_name(const fs::path& store) {
  for (int n = 1; n < kDamagedMax; ++n) {
    fs::path name = fmt::format("{}.damaged-{}", store.string(), n);
    std::error_code error;
    if (!fs::exists(name, error)) return name;
  }
  return {};
}

// Links, so that it costs no space: nobody writes these files again, also not the new store, which has its
// own.
Result<fs::path> keep_aside(const fs::path& store) {
  const fs::path aside = free_name(store);
  std::error_code error;
  fs::create_directory(aside, error);
  if (!error) fs::permissions(aside, fs::perms::owner_all, error);
  for (const auto& entry : fs::directory_iterator(store, error)) {
    std::error_code unlinked;
    fs::create_hard_link(entry.path(), aside / entry.path().filename(), unlinked);
    if (unlinked) fs::copy(entry.path(), aside / entry.path().filename(), fs::copy_options::recursive, error);
    if (error) break;
  }
  if (!error) {
    NJ_CHECK(sync_directory(aside));
    NJ_CHECK(sync_directory(store.parent_path()));
    return aside;
  }
  std::error_code ignored;
  fs::remove_all(aside, ignored);
  return fail(fmt::format("cannot keep the damaged store in {}: {}; nothing was changed", aside.string(),
                          error.message()));
}

// In one step, because a broker that finds no store makes an empty one.
Result<void> take_place(const fs::path& made, const fs::path& store) {
  if (::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, store.c_str(), RENAME_EXCHANGE) != 0) {
    // A file system that cannot do that.
    const fs::path before = store.string() + ".before";
    if (::rename(store.c_str(), before.c_str()) != 0 || ::rename(made.c_str(), store.c_str()) != 0) {
      return fail(fmt::format("cannot put {} in the place of {}: {}", made.string(), store.string(),
                              std::strerror(errno)));
    }
    ::rename(before.c_str(), made.c_str());
  }
  NJ_CHECK(sync_directory(store.parent_path()));
  std::error_code ignored;
  fs::remove_all(made, ignored);
  return {};
}

bool is_own_note(Table table, std::string_view key) { return table == Table::kMeta && key == "format"; }

}  // namespace

Result<Repaired> repair(const fs::path& store) {
  NJ_TRY(const auto damaged, store::ReadOnlyStore::open(store, {}));
  Examination found = examine(*damaged, Depth::kFiles, [](Table, auto, auto) { return true; });
  if (found.findings.empty()) return Repaired{std::move(found), {}};
  NJ_TRY(const fs::path aside, keep_aside(store));
  fmt::print(stderr, "the damaged store is kept in {}\n", aside.string());
  const fs::path made = store.string() + ".repaired";
  {
    NJ_TRY(NewStore copy, NewStore::make(made));
    found =
        examine(*damaged, Depth::kFiles, [&copy](Table table, std::string_view key, std::string_view value) {
          return is_own_note(table, key) || copy.put(table, key, value);
        });
    if (const auto finished = copy.finish(found.mending); !finished) {
      return fail(fmt::format("cannot write {}: {}; the store is as before", made.string(),
                              finished.error().message));
    }
  }
  NJ_CHECK(take_place(made, store));
  return Repaired{std::move(found), aside};
}

}  // namespace nightjar::cli
