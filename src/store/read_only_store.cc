#include "store/read_only_store.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/ldb_tool.h>
#include <rocksdb/metadata.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/utilities/debug.h>
#include <rocksdb/utilities/ldb_cmd.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <map>
#include <utility>

#include "broker/durable/describe.h"
#include "store/blob_value.h"
#include "store/mend_properties.h"
#include "store/rocks_settings.h"
#include "store/silent_output.h"
#include "store/stop_at_gap.h"
#include "store/store_directory.h"
#include "store/wal_check.h"

namespace nightjar::store {
namespace {

namespace fs = std::filesystem;
using broker::Table;

// Behind every key: topics and texts are UTF-8, numbers of shards small.
constexpr std::string_view kBehindAllKeys = "\xff\xff\xff\xff";
// Halvings of the key space between two readable rows, to find others there: at most 127 looks for each gap.
constexpr int kIslandDepth = 7;
// Between a key that cannot be read and one that can, until nothing lies between them: bits that keys may
// share.
constexpr int kHalvings = 128;
// Keys that are asked one by one before reading goes on as usual.
constexpr std::size_t kKeysAtOnce = 1000;
constexpr int kBlobReference = 0x11;  // KeyVersion::type

// Reads the log as the broker does, and learns where it begins.
class LogReading final : public StopAtGap {
 public:
  void ColumnFamilyLogNumberMap(const std::map<std::uint32_t, std::uint64_t>& log_of_family,
                                const std::map<std::string, std::uint32_t>&) override {
    first_ = std::numeric_limits<std::uint64_t>::max();
    for (const auto& [family, log] : log_of_family) first_ = std::min(first_, log);
  }
  [[nodiscard]] std::uint64_t first_log() const { return first_; }

 private:
  std::uint64_t first_ = 0;
};

// The changes of a batch, for the tables.
class BatchReader final : public rocksdb::WriteBatch::Handler {
 public:
  explicit BatchReader(broker::Changes& changes) : changes_(changes) {}
  rocksdb::Status PutCF(std::uint32_t family, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    if (family < broker::kTableCount) changes_.put(static_cast<Table>(family), text_of(key), text_of(value));
    return {};
  }
  rocksdb::Status DeleteCF(std::uint32_t family, const rocksdb::Slice& key) override {
    if (family < broker::kTableCount) changes_.erase(static_cast<Table>(family), text_of(key));
    return {};
  }
  rocksdb::Status DeleteRangeCF(std::uint32_t family, const rocksdb::Slice& from,
                                const rocksdb::Slice& to) override {
    if (family < broker::kTableCount)
      changes_.erase_range(static_cast<Table>(family), text_of(from), text_of(to));
    return {};
  }

 private:
  broker::Changes& changes_;
};

// Half way between two keys, both taken as fractions of 256.
std::string midpoint(std::string_view a, std::string_view b) {
  const std::size_t digits = std::max(a.size(), b.size()) + 1;
  const auto digit = [](std::string_view key, std::size_t i) {
    return i < key.size() ? static_cast<unsigned char>(key[i]) : 0U;
  };
  std::string sum(digits, '\0');
  unsigned carry = 0;
  for (std::size_t i = digits; i-- != 0;) {
    carry += digit(a, i) + digit(b, i);
    sum[i] = static_cast<char>(carry & 0xFF);
    carry >>= 8;
  }
  for (char& byte : sum) {
    const unsigned whole = carry << 8 | static_cast<unsigned char>(byte);
    byte = static_cast<char>(whole >> 1);
    carry = whole & 1;
  }
  return sum;
}

bool is_bulk(const fs::path& file) { return file.extension() == ".sst" || file.extension() == ".blob"; }

bool has_store_files(const fs::path& directory) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (is_bulk(entry.path()) || entry.path().extension() == ".log") return true;
  }
  return false;
}

Table table_of(std::string_view family) {
  for (const Table table : {Table::kSessions, Table::kQueues, Table::kRetained}) {
    if (family == broker::name_of(table)) return table;
  }
  return Table::kMeta;
}

std::string contents_of(const rocksdb::LiveFileMetaData& file) {
  const Table table = table_of(file.column_family_name);
  return fmt::format("rows of the table {}, from {} to {}", broker::name_of(table),
                     broker::describe_key(table, file.smallestkey),
                     broker::describe_key(table, file.largestkey));
}

bool is_mended(const fs::path& file, const rocksdb::Status& refusal) {
  if (!mend_properties(file, refusal.ToString())) return false;
  rocksdb::SstFileReader reader{rocksdb::Options()};
  return reader.Open(file.string()).ok();
}

// A list made from the files does not have the tables without any.
rocksdb::Status add_empty_tables(const fs::path& at, const rocksdb::DBOptions& settings,
                                 std::vector<rocksdb::ColumnFamilyDescriptor> tables) {
  for (auto& table : tables) table.options.disable_auto_compactions = true;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  auto status = rocksdb::DB::Open(settings, at.string(), tables, &handles, &opened);
  if (!status.ok()) return status;
  const std::unique_ptr<rocksdb::DB> database(opened);
  for (rocksdb::ColumnFamilyHandle* handle : handles)
    database->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  return database->Close();
}

}  // namespace

struct ReadOnlyStore::Opened {
  Opened() = default;
  ~Opened() {
    for (rocksdb::ColumnFamilyHandle* handle : handles)
      database->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

  rocksdb::ColumnFamilyHandle* handle(Table table) const { return handles[static_cast<std::size_t>(table)]; }
  std::unique_ptr<rocksdb::Iterator> rows(Table table) const {
    rocksdb::ReadOptions how;
    how.fill_cache = false;
    return std::unique_ptr<rocksdb::Iterator>(database->NewIterator(how, handle(table)));
  }
  std::vector<rocksdb::LiveFileMetaData> files() const {
    std::vector<rocksdb::LiveFileMetaData> all;
    database->GetLiveFilesMetaData(&all);
    return all;
  }

  LogReading log;
  std::unique_ptr<rocksdb::DB> database;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
};

// The store's files once more, for what RocksDB changes: large ones are linked, as it never writes to those
// again.
struct ReadOnlyStore::Scratch {
  explicit Scratch(fs::path at) : path(std::move(at)) {}
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path path;
};

// ---- opening ----

ReadOnlyStore::ReadOnlyStore(fs::path directory, const RocksOptions& options)
    : directory_(std::move(directory)), options_(options) {}

ReadOnlyStore::~ReadOnlyStore() {
  // The copy goes when nobody reads it.
  opened_.reset();
}

Result<std::unique_ptr<ReadOnlyStore>> ReadOnlyStore::open(const fs::path& directory,
                                                           const RocksOptions& options) {
  if (!has_store_files(directory)) {
    return fail(fmt::format("there is no store in {}: give the broker's data directory with --data",
                            directory.parent_path().string()));
  }
  std::unique_ptr<ReadOnlyStore> store(new ReadOnlyStore(directory, options));
  const auto status = store->open_database(directory);
  if (status.IsInvalidArgument()) {
    return fail(
        fmt::format("{} holds a database, but no store of Nightjar ({}): give another directory with --data",
                    directory.string(), status.ToString()));
  }
  if (!status.ok()) NJ_CHECK(store->rebuild(status));
  NJ_CHECK(store->leave_out_unusable_files());
  std::string ignored;
  const auto format = store->opened_->database->Get({}, slice(kFormatKey), &ignored);
  const bool is_damaged = !format.ok() && (!format.IsNotFound() || !store->damage_.empty());
  if (!is_damaged) NJ_CHECK(check_format(directory, *store->opened_->database));
  return store;
}

rocksdb::Status ReadOnlyStore::open_database(const fs::path& at) {
  opened_ = std::make_unique<Opened>();
  rocksdb::DBOptions settings = database_settings(options_);
  // Not to refuse because of a file that some rows do not need.
  settings.paranoid_checks = false;
  // It is made of notes about the file, which may be what is damaged.
  settings.verify_sst_unique_id_in_manifest = false;
  // The log's gap ends its reading, not RocksDB, which would then refuse tables that are ahead of the log.
  settings.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  settings.wal_filter = &opened_->log;
  rocksdb::DB* opened = nullptr;
  auto status = rocksdb::DB::OpenForReadOnly(settings, at.string(), table_settings(options_),
                                             &opened_->handles, &opened);
  opened_->database.reset(opened);
  if (!status.ok()) opened_.reset();
  return status;
}

std::string ReadOnlyStore::told(const rocksdb::Status& status) const {
  std::string text = status.ToString();
  if (!scratch_) return text;
  const std::string scratch = scratch_->path.string();
  for (auto at = text.find(scratch); at != std::string::npos; at = text.find(scratch))
    text.replace(at, scratch.size(), directory_.string());
  return text;
}

Result<void> ReadOnlyStore::make_scratch() {
  if (scratch_) return {};
  scratch_ = std::make_unique<Scratch>(directory_.string() + ".scratch");
  const fs::path& to = scratch_->path;
  std::error_code error;
  fs::remove_all(to, error);
  fs::create_directory(to, error);
  if (!error) fs::permissions(to, fs::perms::owner_all, error);
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    const fs::path copy = to / entry.path().filename();
    std::error_code unlinked;
    if (is_bulk(entry.path())) fs::create_hard_link(entry.path(), copy, unlinked);
    if (!is_bulk(entry.path()) || unlinked) fs::copy_file(entry.path(), copy, error);
    if (error) break;
  }
  if (error) {
    return fail(fmt::format("cannot make {}, which a store this damaged needs to be read: {}", to.string(),
                            error.message()));
  }
  return {};
}

// Without its list of files RocksDB knows nothing; it makes the list anew from the files.
Result<void> ReadOnlyStore::rebuild(const rocksdb::Status& reason) {
  NJ_CHECK(make_scratch());
  damage_.push_back(
      {.file = "the list of the store's files",
       .why = told(reason),
       .effect = "it is made anew from the files: what was erased shortly before can come back"});
  rocksdb::DBOptions settings = database_settings(options_);
  settings.paranoid_checks = false;
  settings.create_missing_column_families = true;
  auto status = rocksdb::RepairDB(scratch_->path.string(), settings, table_settings(options_));
  if (status.ok()) status = add_empty_tables(scratch_->path, settings, table_settings(options_));
  if (status.ok()) status = open_database(scratch_->path);
  if (status.ok()) return {};
  return fail(fmt::format("nothing of the store in {} can be read: {}", directory_.string(), told(status)));
}

// A file without its index, or that is gone, would stand in the way of the others.
Result<void> ReadOnlyStore::leave_out_unusable_files() {
  std::vector<std::pair<rocksdb::LiveFileMetaData, rocksdb::Status>> refused;
  for (const auto& file : opened_->files()) {
    rocksdb::SstFileReader reader{rocksdb::Options()};
    if (const auto status = reader.Open(file.db_path + file.name); !status.ok())
      refused.emplace_back(file, status);
  }
  if (refused.empty()) return {};
  opened_.reset();
  NJ_CHECK(make_scratch());
  for (const auto& [file, status] : refused) {
    FileDamage damage{.file = file.name.substr(1), .why = told(status), .effect = {}};
    if (is_mended(scratch_->path.string() + file.name, status)) {
      damage.effect = "its rows are not concerned";
    } else {
      damage.effect =
          fmt::format("it cannot be used: its {} are lost, and what it changed or erased is as before",
                      contents_of(file));
      leave_out(file);
    }
    damage_.push_back(std::move(damage));
  }
  const auto status = open_database(scratch_->path);
  if (status.ok()) return {};
  return fail(fmt::format("nothing of the store in {} can be read: {}", directory_.string(), told(status)));
}

void ReadOnlyStore::leave_out(const rocksdb::LiveFileMetaData& file) {
  const std::string at = "--db=" + scratch_->path.string();
  const std::string number = std::to_string(file.file_number);
  const std::array arguments{"ldb", at.c_str(), "unsafe_remove_sst_file", number.c_str()};
  const auto tables = table_settings(options_);
  const SilentOutput silent;
  // Should it fail, the rows of the table cannot be read, and reading says so.
  rocksdb::LDBCommandRunner::RunCommand(static_cast<int>(arguments.size()), arguments.data(),
                                        rocksdb::Options(), rocksdb::LDBOptions(), &tables);
}

// ---- reading around damage ----

// One pass over a table.
class ReadOnlyStore::Pass {
 public:
  Pass(const ReadOnlyStore& store, Table table, const EntryVisitor& visit, const UnreadVisitor& unread)
      : store_(store), opened_(*store.opened_), table_(table), visit_(visit), unread_(unread) {}

  void run() {
    while (!read_on() && !is_ended_) {
      if (read_known_keys()) continue;
      begin_gap();
      const auto [from, to] = reach_of_files();
      const std::string begin = std::max(position_, from);
      const auto next = first_key_behind(begin);
      read_islands(begin, next.value_or(to), kIslandDepth);
      if (!next) break;
      position_ = *next;
    }
    if (gap_) unread_(*gap_);
  }

 private:
  // True at the end of the table; else `why_` says what stopped it.
  bool read_on() {
    const auto rows = opened_.rows(table_);
    for (rows->Seek(slice(position_)); rows->Valid() && !is_ended_; rows->Next())
      see(text_of(rows->key()), text_of(rows->value()));
    why_ = store_.told(rows->status());
    return rows->status().ok();
  }

  void see(std::string_view key, std::string_view value) {
    if (gap_) {
      gap_->before = key;
      unread_(*std::exchange(gap_, {}));
    }
    is_ended_ |= !visit_(key, value);
    pass(key);
  }
  void pass(std::string_view key) {
    last_ = key;
    position_ = *last_ + '\0';
  }
  void begin_gap() {
    if (!gap_) gap_ = broker::UnreadRows{.after = last_, .before = {}, .key = {}, .why = why_};
  }

  // Where the index knows the keys, they are asked one by one. False if it does not.
  bool read_known_keys() {
    std::vector<rocksdb::KeyVersion> versions;
    const auto status =
        rocksdb::GetAllKeyVersions(opened_.database.get(), opened_.handle(table_), slice(position_),
                                   slice(kBehindAllKeys), kKeysAtOnce, &versions);
    if (!status.ok() || versions.empty()) return false;
    for (const rocksdb::KeyVersion& version : versions) {
      // The first of several is the newest.
      if (is_ended_ || (last_ && *last_ >= version.user_key)) continue;
      read_key(version);
    }
    return true;
  }

  void read_key(const rocksdb::KeyVersion& newest) {
    std::string value;
    const auto status = opened_.database->Get({}, opened_.handle(table_), newest.user_key, &value);
    if (status.ok()) return see(newest.user_key, value);
    if (status.IsNotFound()) return pass(newest.user_key);
    const auto blob = newest.type == kBlobReference
                          ? read_blob_value(store_.directory_, newest.user_key, newest.value)
                          : std::nullopt;
    if (blob) return see(newest.user_key, *blob);
    unread_({.after = {}, .before = {}, .key = newest.user_key, .why = store_.told(status)});
    pass(newest.user_key);
  }

  // The first key of those that can be read in one go up to the end of the table.
  std::optional<std::string> first_key_behind(const std::string& from) {
    std::optional<std::string> first;
    const auto rows = opened_.rows(table_);
    for (rows->SeekToLast(); rows->Valid() && text_of(rows->key()) >= position_; rows->Prev())
      first = rows->key().ToString();
    if (!first) return first;
    return first_of_run(from, *std::move(first));
  }

  // Going back, RocksDB looks one row ahead and misses the first one behind damage. `first`: a row of that
  // run.
  std::string first_of_run(std::string lost, std::string first) {
    std::string readable = first;
    const auto rows = opened_.rows(table_);
    for (int left = kHalvings; left != 0; --left) {
      const std::string middle = midpoint(lost, readable);
      if (middle <= lost || middle >= readable) break;
      rows->Seek(slice(middle));
      if (!rows->Valid()) {
        lost = middle;
        continue;
      }
      readable = middle;
      if (text_of(rows->key()) < first) first = rows->key().ToString();
    }
    return first;
  }

  // The keys that the table's files can hold; so close that halving what is between them soon tells rows
  // apart.
  [[nodiscard]] std::pair<std::string, std::string> reach_of_files() const {
    std::string from{kBehindAllKeys};
    std::string to;
    for (const auto& file : opened_.files()) {
      if (table_of(file.column_family_name) != table_) continue;
      from = std::min(from, file.smallestkey);
      to = std::max(to, file.largestkey);
    }
    return {std::move(from), std::move(to)};
  }

  // Rows that can be read between two damaged places, looked for by halving what lies from `from` to `to`.
  void read_islands(const std::string& from, const std::string& to, int depth) {
    const std::string middle = midpoint(from, to);
    if (depth == 0 || middle <= from || middle >= to || is_ended_) return;
    const auto rows = opened_.rows(table_);
    rows->Seek(slice(middle));
    if (!rows->Valid() || text_of(rows->key()) >= to) {
      read_islands(from, middle, depth - 1);
      if (!rows->status().ok()) read_islands(middle, to, depth - 1);
      return;
    }
    const std::string first = first_of_run(from, rows->key().ToString());
    read_islands(from, first, depth - 1);
    for (rows->Seek(slice(first)); rows->Valid() && text_of(rows->key()) < to && !is_ended_; rows->Next())
      see(text_of(rows->key()), text_of(rows->value()));
    if (rows->Valid()) return;  // it goes on without a gap
    begin_gap();
    read_islands(position_, to, depth - 1);
  }

  const ReadOnlyStore& store_;
  const Opened& opened_;
  const Table table_;
  const EntryVisitor& visit_;
  const UnreadVisitor& unread_;
  std::string position_;             // everything before it has been read or is lost
  std::optional<std::string> last_;  // the last key that is known
  std::string why_;
  std::optional<broker::UnreadRows> gap_;  // whose end is not known
  bool is_ended_ = false;                  // the visitor has enough
};

void ReadOnlyStore::read(Table table, const EntryVisitor& visit, const UnreadVisitor& unread) const {
  Pass(*this, table, visit, unread).run();
}

// ---- checks ----

std::vector<FileDamage> ReadOnlyStore::check_files() const {
  std::vector<FileDamage> damage = damage_;
  for (const auto& file : opened_->files()) {
    rocksdb::SstFileReader reader{rocksdb::Options()};
    auto status = reader.Open(file.db_path + file.name);
    if (status.ok()) status = reader.VerifyChecksum();
    if (status.ok()) continue;
    damage.push_back({.file = file.name.substr(1),
                      .why = told(status),
                      .effect = fmt::format("it holds {}; what of that cannot be read is listed below",
                                            contents_of(file))});
  }
  return damage;
}

std::optional<LogDamage> ReadOnlyStore::check_log() const {
  // Where the list of files is lost, so is the place where the log begins; it was read as far as it goes.
  if (opened_->log.first_log() == 0) return {};
  const std::uint64_t first_log = first_log_of(*opened_->database, opened_->log.first_log());
  rocksdb::Env& env = env_of(options_);
  const auto checked = check_wal(env, directory_, first_log);
  if (checked) return {};
  LogDamage damage{.why = checked.error().message, .lost = {}};
  const auto behind = records_behind_damage(env, directory_, first_log);
  if (!behind) return damage;
  BatchReader reader(damage.lost);
  for (const std::string& record : *behind) {
    const rocksdb::WriteBatch batch(record);
    batch.Iterate(&reader).PermitUncheckedError();
  }
  return damage;
}

// ---- sizes ----

TableSize ReadOnlyStore::size_of(Table table) const {
  rocksdb::ColumnFamilyMetaData about;
  opened_->database->GetColumnFamilyMetaData(opened_->handle(table), &about);
  return {.files = about.file_count + about.blob_file_count, .bytes = about.size + about.blob_file_size};
}

std::uint64_t ReadOnlyStore::log_bytes() const {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    if (entry.path().extension() == ".log") bytes += entry.file_size(error);
  }
  return bytes;
}

std::uint32_t ReadOnlyStore::format() const {
  std::string text;
  std::uint32_t format = 0;
  if (opened_->database->Get({}, slice(kFormatKey), &text).ok())
    std::from_chars(text.data(), text.data() + text.size(), format);
  return format;
}

}  // namespace nightjar::store
