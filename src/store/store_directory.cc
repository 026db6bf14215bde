#include "store/store_directory.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/wal_filter.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "store/rocks_settings.h"
#include "store/wal_check.h"

namespace nightjar::store {
namespace {

namespace fs = std::filesystem;

// Holds LOCK as an open database would.
class DirectoryLock {
 public:
  explicit DirectoryLock(rocksdb::Env& env) : env_(env) {}
  ~DirectoryLock() {
    if (lock_ != nullptr) env_.UnlockFile(lock_).PermitUncheckedError();
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

  rocksdb::Status take(const fs::path& directory) {
    return env_.LockFile((directory / "LOCK").string(), &lock_);
  }

 private:
  rocksdb::Env& env_;
  rocksdb::FileLock* lock_ = nullptr;
};

// Column families of one open database.
struct Handles {
  ~Handles() {
    for (rocksdb::ColumnFamilyHandle* handle : all)
      database->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  }
  std::unique_ptr<rocksdb::DB> database;
  std::vector<rocksdb::ColumnFamilyHandle*> all;
};

// Learns the first log that a table refers to, and keeps the rest of it from being read.
class FirstLog final : public rocksdb::WalFilter {
 public:
  void ColumnFamilyLogNumberMap(const std::map<std::uint32_t, std::uint64_t>& log_of_family,
                                const std::map<std::string, std::uint32_t>&) override {
    number_ = std::numeric_limits<std::uint64_t>::max();
    for (const auto& [family, log] : log_of_family) number_ = std::min(number_, log);
  }
  WalProcessingOption LogRecordFound(unsigned long long, const std::string&, const rocksdb::WriteBatch&,
                                     rocksdb::WriteBatch*, bool*) override {
    return WalProcessingOption::kStopReplay;
  }
  [[nodiscard]] const char* Name() const override { return "FirstLog"; }
  [[nodiscard]] std::uint64_t number() const { return number_; }

 private:
  std::uint64_t number_ = 0;
};

rocksdb::Status remove_directory(rocksdb::Env& env, const fs::path& directory) {
  std::vector<std::string> names;
  if (auto listed = env.GetChildren(directory.string(), &names); !listed.ok()) return listed;
  for (const std::string& name : names) {
    if (name == "." || name == "..") continue;
    if (auto deleted = env.DeleteFile((directory / name).string()); !deleted.ok()) return deleted;
  }
  return env.DeleteDir(directory.string());
}

rocksdb::Status fill_new_store(const fs::path& directory, const RocksOptions& options) {
  rocksdb::DBOptions settings = database_settings(options);
  settings.create_if_missing = true;
  settings.create_missing_column_families = true;
  settings.error_if_exists = true;
  Handles handles;
  rocksdb::DB* opened = nullptr;
  auto status =
      rocksdb::DB::Open(settings, directory.string(), table_settings(options), &handles.all, &opened);
  if (!status.ok()) return status;
  handles.database.reset(opened);
  rocksdb::WriteOptions synced;
  synced.sync = true;
  status = opened->Put(synced, slice(kFormatKey), std::to_string(kFormat));
  // In a table file, where inspect_store() finds it without reading the log.
  if (status.ok()) status = opened->Flush({});
  return status;
}

rocksdb::Status sync_directory(rocksdb::Env& env, const fs::path& directory) {
  std::unique_ptr<rocksdb::Directory> opened;
  const auto status = env.NewDirectory(directory.string(), &opened);
  return status.ok() ? opened->Fsync() : status;
}

}  // namespace

Result<void> make_store_if_absent(const fs::path& directory, const RocksOptions& options) {
  std::error_code error;
  if (fs::exists(directory, error) && !fs::is_empty(directory, error)) return {};
  if (error) return fail(fmt::format("cannot read {}: {}", directory.string(), error.message()));

  // Beside its place, so that a store without CURRENT is a damaged one and never one that was only begun.
  rocksdb::Env& env = env_of(options);
  const fs::path begun = directory.string() + ".new";
  const auto cannot = [&directory](const std::string& why) {
    return fail(fmt::format("cannot make a store in {}: {}", directory.string(), why));
  };
  if (fs::exists(begun, error)) {
    if (const auto removed = remove_directory(env, begun); !removed.ok()) return cannot(removed.ToString());
  }
  if (const auto filled = fill_new_store(begun, options); !filled.ok()) return cannot(filled.ToString());
  // Messages are nobody's business but the broker's.
  fs::permissions(begun, fs::perms::owner_all, error);
  if (error) return cannot(error.message());
  if (const auto renamed = env.RenameFile(begun.string(), directory.string()); !renamed.ok()) {
    return cannot(renamed.ToString());
  }
  const fs::path parent = directory.has_parent_path() ? directory.parent_path() : fs::path(".");
  if (const auto synced = sync_directory(env, parent); !synced.ok()) return cannot(synced.ToString());
  return {};
}

Result<void> check_format(const fs::path& directory, rocksdb::DB& database) {
  std::string text;
  const auto read = database.Get({}, slice(kFormatKey), &text);
  if (read.IsNotFound()) {
    return fail(
        fmt::format("{} holds a database, but no store of Nightjar: give another directory with --data",
                    directory.string()));
  }
  if (!read.ok()) return store_error(directory, read);
  std::uint32_t format = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), format);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || format == 0) {
    return store_error(directory, rocksdb::Status::Corruption("its format is \"" + text + "\""));
  }
  if (format > kFormat) {
    return fail(fmt::format(
        "the store in {} was written by a newer Nightjar (format {}, this one knows {}): start the "
        "newer version, or give another directory with --data",
        directory.string(), format, kFormat));
  }
  return {};
}

Result<void> inspect_store(const fs::path& directory, const RocksOptions& options) {
  rocksdb::Env& env = env_of(options);
  if (std::error_code error; !fs::exists(directory / "CURRENT", error)) {
    return fail(fmt::format(
        "{} has files in it, but no complete store: the file CURRENT is missing; \"nightjar store "
        "repair\" saves what can be read, or give another directory with --data",
        directory.string()));
  }
  DirectoryLock lock(env);
  if (const auto locked = lock.take(directory); !locked.ok()) return store_error(directory, locked);

  rocksdb::DBOptions settings = database_settings(options);
  FirstLog first_log;
  settings.wal_filter = &first_log;
  std::vector<std::string> names;
  auto status = rocksdb::DB::ListColumnFamilies(settings, directory.string(), &names);
  if (!status.ok()) return store_error(directory, status);
  auto tables = table_settings(options);
  const std::size_t known = tables.size();
  std::erase_if(tables, [&names](const auto& table) {
    return std::find(names.begin(), names.end(), table.name) == names.end();
  });
  std::uint64_t log_begins_at = 0;
  {
    Handles handles;
    rocksdb::DB* opened = nullptr;
    status = rocksdb::DB::OpenForReadOnly(settings, directory.string(), tables, &handles.all, &opened);
    if (!status.ok()) return store_error(directory, status);
    handles.database.reset(opened);
    NJ_CHECK(check_format(directory, *opened));
    log_begins_at = first_log_of(*opened, first_log.number());
  }
  if (names.size() != known || tables.size() != known) {
    return store_error(directory, rocksdb::Status::Corruption("its tables are not those of a store"));
  }
  const auto checked = check_wal(env, directory, log_begins_at);
  if (checked) return {};
  if (options.sync == RocksOptions::Sync::kOs) {
    // Without fsync a power cut may take any part of the log. What lies before the first gap is used.
    log::warn(
        fmt::format("the store in {}: {}; what came later is lost, as a power cut may do with sync = \"os\"",
                    directory.string(), checked.error().message));
    return {};
  }
  return store_error(directory, rocksdb::Status::Corruption(checked.error().message));
}

}  // namespace nightjar::store
