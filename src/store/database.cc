#include "store/database.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <utility>

#include "store/rocks_settings.h"
#include "store/stop_at_gap.h"
#include "store/store_directory.h"

namespace nightjar::store {
namespace {

constexpr std::size_t kLookEveryBytes = std::size_t{16} * 1024 * 1024;
// Less is not worth the work.
constexpr std::uint64_t kGarbageMinBytes = std::uint64_t{64} * 1024 * 1024;

WriteFailure failure_of(const rocksdb::Status& status) {
  return {.reason = status.ToString(), .is_disk_full = status.IsNoSpace()};
}

class BackgroundWork final : public rocksdb::EventListener {
 public:
  BackgroundWork(Database::OnTrouble on_trouble, StoreCounters* counters)
      : on_trouble_(std::move(on_trouble)), counters_(counters) {}

  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& flush) override {
    if (counters_ == nullptr) return;
    std::uint64_t bytes = flush.table_properties.data_size + flush.table_properties.index_size;
    for (const auto& bodies : flush.blob_file_addition_infos) bytes += bodies.total_blob_bytes;
    StoreCounters::add(counters_->flushed_bytes, bytes);
  }
  void OnCompactionBegin(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override {
    if (counters_ != nullptr) StoreCounters::add(counters_->compactions_running, 1);
  }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& compaction) override {
    if (counters_ == nullptr) return;
    StoreCounters::add(counters_->compacted_bytes,
                       compaction.stats.total_output_bytes + compaction.stats.total_output_bytes_blob);
    counters_->compactions_running.fetch_sub(1, std::memory_order_relaxed);
  }

  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override {
    const bool begins = info.condition.prev == rocksdb::WriteStallCondition::kNormal;
    if (counters_ != nullptr && begins) StoreCounters::add(counters_->stalls, 1);
  }

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    on_trouble_(failure_of(*status));
    // A soft error stops the background work and lets writes go on, until one waits for that work for good.
    // Make it one that writes hear of.
    if (status->severity() < rocksdb::Status::kHardError) {
      *status = rocksdb::Status(*status, rocksdb::Status::kHardError);
    }
  }

 private:
  const Database::OnTrouble on_trouble_;
  StoreCounters* const counters_;
};

}  // namespace

Database::Batch::Batch(const Database& database, std::size_t bytes)
    : database_(database), writes_(std::make_unique<rocksdb::WriteBatch>(bytes)) {}

Database::Batch::~Batch() = default;

std::size_t Database::Batch::bytes() const { return writes_->GetDataSize(); }

void Database::Batch::add(const broker::Changes& changes, const broker::RetainedReader& retained) {
  // A WriteBatch fails only beyond sizes that nothing here has.
  changes.for_each([&](const broker::Change& change) {
    rocksdb::ColumnFamilyHandle* const table = database_.handle(change.table);
    switch (change.kind) {
      case broker::Change::Kind::kPut:
        writes_->Put(table, slice(change.key), slice(change.value)).PermitUncheckedError();
        break;
      case broker::Change::Kind::kErase:
        writes_->Delete(table, slice(change.key)).PermitUncheckedError();
        break;
      case broker::Change::Kind::kEraseRange:
        writes_->DeleteRange(table, slice(change.key), slice(change.value)).PermitUncheckedError();
        break;
      case broker::Change::Kind::kRefresh:
        refresh(change.key, retained);
        break;
    }
  });
}

void Database::Batch::refresh(std::string_view topic, const broker::RetainedReader& retained) {
  if (!refreshed_.insert(topic).second) return;
  rocksdb::ColumnFamilyHandle* const table = database_.handle(broker::Table::kRetained);
  value_.clear();
  if (retained(topic, value_)) {
    writes_->Put(table, slice(topic), slice(as_text(value_.view()))).PermitUncheckedError();
  } else {
    writes_->Delete(table, slice(topic)).PermitUncheckedError();
  }
}

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& directory,
                                                 const RocksOptions& options, OnTrouble on_trouble,
                                                 StoreCounters* counters) {
  NJ_CHECK(make_store_if_absent(directory, options));
  NJ_CHECK(inspect_store(directory, options));
  std::unique_ptr<Database> database(new Database(directory, options));
  NJ_CHECK(database->open_tables(std::move(on_trouble), counters));
  NJ_CHECK(check_format(directory, *database->database_));
  return database;
}

Database::Database(std::filesystem::path directory, const RocksOptions& options)
    : directory_(std::move(directory)), options_(options), log_reading_(std::make_unique<StopAtGap>()) {}

Result<void> Database::open_tables(OnTrouble on_trouble, StoreCounters* counters) {
  counters_ = counters;
  rocksdb::DBOptions settings = database_settings(options_);
  settings.wal_filter = log_reading_.get();
  settings.listeners.push_back(std::make_shared<BackgroundWork>(std::move(on_trouble), counters));
  rocksdb::DB* opened = nullptr;
  const auto status =
      rocksdb::DB::Open(settings, directory_.string(), table_settings(options_), &tables_, &opened);
  if (!status.ok()) return store_error(directory_, status);
  database_.reset(opened);
  return {};
}

Database::~Database() {
  if (!database_) return;
  for (rocksdb::ColumnFamilyHandle* table : tables_)
    database_->DestroyColumnFamilyHandle(table).PermitUncheckedError();
  // What is durable is durable already, and nothing can be done about the rest.
  database_->Close().PermitUncheckedError();
  // Those that the end cut short are not reported.
  if (counters_ != nullptr) counters_->compactions_running.store(0, std::memory_order_relaxed);
}

Result<void, WriteFailure> Database::write(Batch& batch, Until until) {
  rocksdb::WriteOptions how;
  how.sync = until == Until::kOnDisk;
  const auto status = database_->Write(how, batch.writes_.get());
  if (!status.ok()) return tl::make_unexpected(failure_of(status));
  written_unseen_ += batch.bytes();
  if (written_unseen_ >= kLookEveryBytes) tend_garbage();
  return {};
}

std::uint64_t Database::property(const std::string& name) const {
  std::uint64_t value = 0;
  return database_->GetIntProperty(handle(broker::Table::kQueues), name, &value) ? value : 0;
}

std::uint64_t Database::body_bytes() const { return property(rocksdb::DB::Properties::kLiveBlobFileSize); }

// Bodies of messages that are done with share their files with some that still wait. These are moved while
// the greater part is garbage: then moving costs less than what it sets free.
void Database::tend_garbage() {
  written_unseen_ = 0;
  const std::uint64_t garbage = property(rocksdb::DB::Properties::kLiveBlobFileGarbageSize);
  const std::uint64_t enough = is_collecting_ ? body_bytes() / 4 : body_bytes() / 2;
  const bool is_wanted = garbage > std::max(enough, kGarbageMinBytes);
  if (is_wanted == is_collecting_) return;
  const auto status = database_->SetOptions(
      handle(broker::Table::kQueues), {{"enable_blob_garbage_collection", is_wanted ? "true" : "false"}});
  if (status.ok()) is_collecting_ = is_wanted;
}

Result<void, WriteFailure> Database::try_to_write() {
  Batch batch(*this, 0);
  // Something that is there anyway.
  batch.writes_->Put(handle(broker::Table::kMeta), slice(kFormatKey), std::to_string(kFormat))
      .PermitUncheckedError();
  return write(batch, Until::kOnDisk);
}

Result<void> Database::scan(broker::Table table, std::string_view from, std::string_view to,
                            const EntryVisitor& visit) const {
  rocksdb::ReadOptions how;
  // Read once, so not at the cost of what is read again.
  how.fill_cache = false;
  const rocksdb::Slice end = slice(to);
  if (!to.empty()) how.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> entry(database_->NewIterator(how, handle(table)));
  for (entry->Seek(slice(from)); entry->Valid(); entry->Next()) {
    if (!visit(text_of(entry->key()), text_of(entry->value()))) return {};
  }
  if (!entry->status().ok()) return store_error(directory_, entry->status());
  return {};
}

Result<void> Database::copy_to(const std::filesystem::path& target) const {
  const auto cannot = [&target](const rocksdb::Status& status) {
    return fail(fmt::format("cannot copy the store to {}: {}", target.string(), status.ToString()));
  };
  rocksdb::Checkpoint* made = nullptr;
  if (const auto status = rocksdb::Checkpoint::Create(database_.get(), &made); !status.ok())
    return cannot(status);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (const auto status = checkpoint->CreateCheckpoint(target.string()); !status.ok()) return cannot(status);
  return {};
}

}  // namespace nightjar::store
