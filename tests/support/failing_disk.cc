#include "tests/support/failing_disk.h"

#include <utility>

namespace nightjar::test_support {

class FailingDisk::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(FailingDisk& disk, std::unique_ptr<rocksdb::FSWritableFile> target)
      : FSWritableFileOwnerWrapper(std::move(target)), disk_(disk) {}

  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    const auto status = disk_.check(Fault::kFull);
    return status.ok() ? target()->Append(data, options, debug) : status;
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo& info,
                           rocksdb::IODebugContext* debug) override {
    const auto status = disk_.check(Fault::kFull);
    return status.ok() ? target()->Append(data, options, info, debug) : status;
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    const auto status = disk_.check(Fault::kSyncFails);
    return status.ok() ? target()->Sync(options, debug) : status;
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    const auto status = disk_.check(Fault::kSyncFails);
    return status.ok() ? target()->Fsync(options, debug) : status;
  }

 private:
  FailingDisk& disk_;
};

FailingDisk::FailingDisk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

rocksdb::IOStatus FailingDisk::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                               std::unique_ptr<rocksdb::FSWritableFile>* result,
                                               rocksdb::IODebugContext* debug) {
  auto status = check(Fault::kFull);
  if (status.ok()) status = target()->NewWritableFile(name, options, result, debug);
  if (status.ok()) *result = std::make_unique<File>(*this, std::move(*result));
  return status;
}

rocksdb::IOStatus FailingDisk::check(Fault fault) {
  if (fault_.load() != fault) return rocksdb::IOStatus::OK();
  ++failures_;
  return fault == Fault::kFull ? rocksdb::IOStatus::NoSpace("No space left on device")
                               : rocksdb::IOStatus::IOError("Input/output error");
}

}  // namespace nightjar::test_support
