// The files of the operating system on a machine that loses its power. Remembers which bytes of each file
// were synced and which changes of each directory, and takes away the rest when the power comes back, as
// chance has it:
//
//   a file        keeps what was synced, and of the rest a piece of its beginning or, as file systems may do,
//                 all of it with pages of zeros where nothing arrived; MANIFEST files only the former,
//                 because RocksDB does not start on the latter
//   a directory   keeps the changes that were synced, and of the later ones the first so many, as journaling
//                 file systems do
//
// While the power is off every change fails. Syncs cost nothing: no file is really synced. Directories
// themselves appear, vanish and change their names durably. Any thread, but for turn_on(): nobody has a file
// open then.
#pragma once

#include <rocksdb/file_system.h>

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace nightjar::test_support {

class PowerCutFs final : public rocksdb::FileSystemWrapper {
 public:
  // Keeps another name of every file in `inodes`, on the same file system as the files.
  explicit PowerCutFs(std::filesystem::path inodes);
  [[nodiscard]] const char* Name() const override { return "PowerCutFs"; }

  // So many changes more go well.
  void cut_after(std::uint64_t changes);
  [[nodiscard]] bool is_off() const;
  void turn_on(std::uint64_t seed);

  // Every change waits, once so many more have been made, until this is called again or the power is off.
  void hold_after(std::uint64_t changes);
  // So many changes have been made, and another one waits.
  [[nodiscard]] bool is_held() const;

  // What says that it has synced, and has not.
  enum class Liar : std::uint8_t { kNobody, kWal, kManifest, kTables, kDirectory };
  void set_liar(Liar liar);

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDir(const std::string& name, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDirIfMissing(const std::string& name, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& name, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  // Nothing here follows these, and RocksDB as the store uses it needs none of them.
  rocksdb::IOStatus ReopenWritableFile(const std::string&, const rocksdb::FileOptions&,
                                       std::unique_ptr<rocksdb::FSWritableFile>*,
                                       rocksdb::IODebugContext*) override;
  rocksdb::IOStatus ReuseWritableFile(const std::string&, const std::string&, const rocksdb::FileOptions&,
                                      std::unique_ptr<rocksdb::FSWritableFile>*,
                                      rocksdb::IODebugContext*) override;
  rocksdb::IOStatus NewRandomRWFile(const std::string&, const rocksdb::FileOptions&,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>*,
                                    rocksdb::IODebugContext*) override;
  rocksdb::IOStatus LinkFile(const std::string&, const std::string&, const rocksdb::IOOptions&,
                             rocksdb::IODebugContext*) override;
  rocksdb::IOStatus Truncate(const std::string&, std::size_t, const rocksdb::IOOptions&,
                             rocksdb::IODebugContext*) override;

 private:
  class File;
  class OpenDirectory;

  // A file's contents, whatever its names are.
  struct Inode {
    std::filesystem::path path;  // in `inodes_`
    std::uint64_t size = 0;
    std::uint64_t synced = 0;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  // One step of a directory; a rename takes away a name and gives another.
  struct Change {
    std::string gone;
    std::string come;
    std::shared_ptr<Inode> inode;
    void apply(Names& names) const;
  };
  struct Directory {
    Names durable;
    Names present;
    std::vector<Change> unsynced;
  };

  // These hold the lock.
  bool spend(std::unique_lock<std::mutex>& lock);
  static void change(Directory& directory, Change change);
  static void lose_some(Directory& directory, std::mt19937_64& random);
  static void lose_some(Inode& inode, bool may_have_holes, std::mt19937_64& random);
  Directory& directory_of(const std::filesystem::path& file) {
    return directories_[file.parent_path().string()];
  }

  bool is_lie(const std::string& name) const;
  rocksdb::IOStatus if_on(const std::function<rocksdb::IOStatus()>& act);

  const std::filesystem::path inodes_;
  mutable std::mutex mutex_;
  std::condition_variable may_go_on_;
  std::map<std::string, Directory> directories_;
  std::uint64_t changes_left_ = UINT64_MAX;
  std::uint64_t changes_until_held_ = UINT64_MAX;
  int waiting_ = 0;  // changes that are held
  std::uint64_t inodes_made_ = 0;
  bool is_off_ = false;
  Liar liar_ = Liar::kNobody;
};

}  // namespace nightjar::test_support
