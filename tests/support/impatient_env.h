// The environment of RocksDB on a disk of a test's choice. RocksDB sleeps for a second after work in the
// background has failed; here it does not.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace nightjar::test_support {

class ImpatientEnv final : public rocksdb::EnvWrapper {
 public:
  explicit ImpatientEnv(const std::shared_ptr<rocksdb::FileSystem>& disk)
      : EnvWrapper(rocksdb::NewCompositeEnv(disk)) {
    file_system_ = disk;
    system_clock_ = std::make_shared<ShortSleeps>();
  }
  [[nodiscard]] const char* Name() const override { return "ImpatientEnv"; }

 private:
  class ShortSleeps final : public rocksdb::SystemClockWrapper {
   public:
    ShortSleeps() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
    [[nodiscard]] const char* Name() const override { return "ShortSleeps"; }
    void SleepForMicroseconds(int us) override { target_->SleepForMicroseconds(std::min(us, 1000)); }
  };
};

}  // namespace nightjar::test_support
