#include "tests/support/power_cut_fs.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <utility>

namespace nightjar::test_support {
namespace {

namespace fs = std::filesystem;
using rocksdb::IOStatus;

constexpr std::uint64_t kPageBytes = 4096;

IOStatus power_is_off() { return IOStatus::IOError("the power is off"); }

std::uint64_t below(std::mt19937_64& random, std::uint64_t bound) { return random() % bound; }

}  // namespace

class PowerCutFs::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(PowerCutFs& disk, std::string name, std::shared_ptr<Inode> inode,
       std::unique_ptr<rocksdb::FSWritableFile> target)
      : FSWritableFileOwnerWrapper(std::move(target)),
        disk_(disk),
        name_(std::move(name)),
        inode_(std::move(inode)) {}

  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                  rocksdb::IODebugContext* debug) override {
    return disk_.if_on([&] {
      auto status = target()->Append(data, options, debug);
      if (status.ok()) inode_->size += data.size();
      return status;
    });
  }
  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                  const rocksdb::DataVerificationInfo&, rocksdb::IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return disk_.if_on([&] {
      if (!disk_.is_lie(name_)) inode_->synced = inode_->size;
      return IOStatus::OK();
    });
  }
  IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    return Sync(options, debug);
  }
  IOStatus Truncate(std::uint64_t size, const rocksdb::IOOptions& options,
                    rocksdb::IODebugContext* debug) override {
    return disk_.if_on([&] {
      auto status = target()->Truncate(size, options, debug);
      if (!status.ok()) return status;
      inode_->size = size;
      inode_->synced = std::min(inode_->synced, size);
      return status;
    });
  }
  // A hint, no promise.
  IOStatus RangeSync(std::uint64_t, std::uint64_t, const rocksdb::IOOptions&,
                     rocksdb::IODebugContext*) override {
    return IOStatus::OK();
  }
  IOStatus Allocate(std::uint64_t, std::uint64_t, const rocksdb::IOOptions&,
                    rocksdb::IODebugContext*) override {
    return IOStatus::OK();
  }

 private:
  PowerCutFs& disk_;
  const std::string name_;
  const std::shared_ptr<Inode> inode_;
};

class PowerCutFs::OpenDirectory final : public rocksdb::FSDirectoryWrapper {
 public:
  OpenDirectory(PowerCutFs& disk, std::string name, std::unique_ptr<rocksdb::FSDirectory> target)
      : FSDirectoryWrapper(std::move(target)), disk_(disk), name_(std::move(name)) {}

  IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return disk_.if_on([&] {
      if (disk_.liar_ == Liar::kDirectory) return IOStatus::OK();
      Directory& directory = disk_.directories_[name_];
      directory.durable = directory.present;
      directory.unsynced.clear();
      return IOStatus::OK();
    });
  }
  IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  PowerCutFs& disk_;
  const std::string name_;
};

PowerCutFs::PowerCutFs(fs::path inodes)
    : FileSystemWrapper(rocksdb::FileSystem::Default()), inodes_(std::move(inodes)) {
  fs::create_directories(inodes_);
}

void PowerCutFs::cut_after(std::uint64_t changes) {
  const std::lock_guard lock(mutex_);
  changes_left_ = changes;
  if (changes == 0) is_off_ = true;
  may_go_on_.notify_all();
}

void PowerCutFs::hold_after(std::uint64_t changes) {
  const std::lock_guard lock(mutex_);
  changes_until_held_ = changes;
  may_go_on_.notify_all();
}

bool PowerCutFs::is_held() const {
  const std::lock_guard lock(mutex_);
  return changes_until_held_ == 0 && waiting_ != 0;
}

bool PowerCutFs::is_off() const {
  const std::lock_guard lock(mutex_);
  return is_off_;
}

void PowerCutFs::set_liar(Liar liar) {
  const std::lock_guard lock(mutex_);
  liar_ = liar;
}

void PowerCutFs::turn_on(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  std::set<fs::path> kept;
  for (auto& [path, directory] : directories_) {
    for (const auto& [name, inode] : directory.present) fs::remove(fs::path(path) / name);
    lose_some(directory, random);
    for (const auto& [name, inode] : directory.present) {
      if (kept.insert(inode->path).second) lose_some(*inode, !name.starts_with("MANIFEST"), random);
      fs::create_hard_link(inode->path, fs::path(path) / name);
    }
  }
  for (const auto& entry : fs::directory_iterator(inodes_)) {
    if (!kept.contains(entry.path())) fs::remove(entry.path());
  }
  is_off_ = false;
  changes_left_ = UINT64_MAX;
}

void PowerCutFs::lose_some(Directory& directory, std::mt19937_64& random) {
  const std::uint64_t arrived = below(random, directory.unsynced.size() + 1);
  for (std::uint64_t i = 0; i < arrived; ++i) directory.unsynced[i].apply(directory.durable);
  directory.unsynced.clear();
  directory.present = directory.durable;
}

void PowerCutFs::lose_some(Inode& inode, bool may_have_holes, std::mt19937_64& random) {
  const std::uint64_t unsynced = inode.size - inode.synced;
  if (unsynced != 0 && (!may_have_holes || below(random, 2) == 0)) {
    inode.size = inode.synced + below(random, unsynced + 1);
  } else if (unsynced != 0) {
    std::fstream file(inode.path, std::ios::in | std::ios::out | std::ios::binary);
    for (std::uint64_t at = inode.synced; at < inode.size;) {
      const std::uint64_t end = std::min(inode.size, (at / kPageBytes + 1) * kPageBytes);
      if (below(random, 2) == 0) {
        file.seekp(static_cast<std::streamoff>(at));
        file << std::string(end - at, '\0');
      }
      at = end;
    }
  }
  fs::resize_file(inode.path, inode.size);
  inode.synced = inode.size;
}

void PowerCutFs::Change::apply(Names& names) const {
  if (!gone.empty()) names.erase(gone);
  if (!come.empty()) names[come] = inode;
}

bool PowerCutFs::spend(std::unique_lock<std::mutex>& lock) {
  ++waiting_;
  may_go_on_.wait(lock, [this] { return is_off_ || changes_until_held_ != 0; });
  --waiting_;
  if (changes_left_ == 0) is_off_ = true;
  if (is_off_) {
    may_go_on_.notify_all();
    return false;
  }
  --changes_left_;
  --changes_until_held_;
  return true;
}

void PowerCutFs::change(Directory& directory, Change change) {
  change.apply(directory.present);
  directory.unsynced.push_back(std::move(change));
}

bool PowerCutFs::is_lie(const std::string& name) const {
  const std::string file = fs::path(name).filename().string();
  switch (liar_) {
    case Liar::kWal:
      return file.ends_with(".log");
    case Liar::kManifest:
      return file.starts_with("MANIFEST");
    case Liar::kTables:
      return file.ends_with(".sst") || file.ends_with(".blob");
    default:
      return false;
  }
}

IOStatus PowerCutFs::if_on(const std::function<IOStatus()>& act) {
  std::unique_lock lock(mutex_);
  return spend(lock) ? act() : power_is_off();
}

IOStatus PowerCutFs::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                     std::unique_ptr<rocksdb::FSWritableFile>* result,
                                     rocksdb::IODebugContext* debug) {
  return if_on([&] {
    // A new file in the place of an old one, which the cut may bring back.
    fs::remove(name);
    std::unique_ptr<rocksdb::FSWritableFile> file;
    auto status = target()->NewWritableFile(name, options, &file, debug);
    if (!status.ok()) return status;
    auto inode = std::make_shared<Inode>(Inode{.path = inodes_ / std::to_string(++inodes_made_)});
    fs::create_hard_link(name, inode->path);
    change(directory_of(name), {.gone = {}, .come = fs::path(name).filename().string(), .inode = inode});
    *result = std::make_unique<File>(*this, name, std::move(inode), std::move(file));
    return status;
  });
}

IOStatus PowerCutFs::NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                  std::unique_ptr<rocksdb::FSDirectory>* result,
                                  rocksdb::IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> opened;
  auto status = target()->NewDirectory(name, options, &opened, debug);
  if (status.ok()) *result = std::make_unique<OpenDirectory>(*this, name, std::move(opened));
  return status;
}

IOStatus PowerCutFs::DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                                rocksdb::IODebugContext* debug) {
  return if_on([&] {
    auto status = target()->DeleteFile(name, options, debug);
    Directory& directory = directory_of(name);
    const std::string file = fs::path(name).filename().string();
    if (status.ok() && directory.present.contains(file))
      change(directory, {.gone = file, .come = {}, .inode = {}});
    return status;
  });
}

IOStatus PowerCutFs::RenameFile(const std::string& from, const std::string& to,
                                const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) {
  return if_on([&] {
    auto status = target()->RenameFile(from, to, options, debug);
    if (!status.ok()) return status;
    if (const auto moved = directories_.find(from); moved != directories_.end()) {
      directories_[to] = std::move(moved->second);
      directories_.erase(from);
      return status;
    }
    Directory& directory = directory_of(from);
    const std::string old_name = fs::path(from).filename().string();
    const auto inode = directory.present.at(old_name);
    change(directory, {.gone = old_name, .come = fs::path(to).filename().string(), .inode = inode});
    return status;
  });
}

IOStatus PowerCutFs::CreateDir(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) {
  return if_on([&] { return target()->CreateDir(name, options, debug); });
}

IOStatus PowerCutFs::CreateDirIfMissing(const std::string& name, const rocksdb::IOOptions& options,
                                        rocksdb::IODebugContext* debug) {
  return if_on([&] { return target()->CreateDirIfMissing(name, options, debug); });
}

IOStatus PowerCutFs::DeleteDir(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) {
  return if_on([&] {
    auto status = target()->DeleteDir(name, options, debug);
    if (status.ok()) directories_.erase(name);
    return status;
  });
}

IOStatus PowerCutFs::ReopenWritableFile(const std::string&, const rocksdb::FileOptions&,
                                        std::unique_ptr<rocksdb::FSWritableFile>*, rocksdb::IODebugContext*) {
  return IOStatus::NotSupported("ReopenWritableFile");
}

IOStatus PowerCutFs::ReuseWritableFile(const std::string&, const std::string&, const rocksdb::FileOptions&,
                                       std::unique_ptr<rocksdb::FSWritableFile>*, rocksdb::IODebugContext*) {
  return IOStatus::NotSupported("ReuseWritableFile");
}

IOStatus PowerCutFs::NewRandomRWFile(const std::string&, const rocksdb::FileOptions&,
                                     std::unique_ptr<rocksdb::FSRandomRWFile>*, rocksdb::IODebugContext*) {
  return IOStatus::NotSupported("NewRandomRWFile");
}

IOStatus PowerCutFs::LinkFile(const std::string&, const std::string&, const rocksdb::IOOptions&,
                              rocksdb::IODebugContext*) {
  return IOStatus::NotSupported("LinkFile");
}

IOStatus PowerCutFs::Truncate(const std::string&, std::size_t, const rocksdb::IOOptions&,
                              rocksdb::IODebugContext*) {
  return IOStatus::NotSupported("Truncate");
}

}  // namespace nightjar::test_support
