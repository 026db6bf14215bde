// The files of the operating system on a disk that is full, or fails to sync, while a test wants it so. Any
// thread.
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace nightjar::test_support {

class FailingDisk final : public rocksdb::FileSystemWrapper {
 public:
  enum class Fault : std::uint8_t {
    kNone,
    kFull,       // nothing can be appended or created
    kSyncFails,  // appended, but not synced
  };

  FailingDisk();
  [[nodiscard]] const char* Name() const override { return "FailingDisk"; }

  void set_fault(Fault fault) { fault_.store(fault); }
  // How often something failed.
  [[nodiscard]] int failures() const { return failures_.load(); }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;

 private:
  class File;
  // The error of `fault`, if that is the present one.
  rocksdb::IOStatus check(Fault fault);

  std::atomic<Fault> fault_{Fault::kNone};
  std::atomic<int> failures_{0};
};

}  // namespace nightjar::test_support
