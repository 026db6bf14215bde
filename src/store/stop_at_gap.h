// Only for the files of this package that open a database.
#pragma once

#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include <cstdint>
#include <optional>
#include <string>

namespace nightjar::store {

// Ends the reading of the log at a gap in the sequence numbers, which RocksDB passes over when zeros lie in
// it.
class StopAtGap : public rocksdb::WalFilter {
 public:
  WalProcessingOption LogRecordFound(unsigned long long, const std::string&, const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch*, bool*) override {
    const std::string& bytes = batch.Data();
    std::uint64_t sequence = 0;  // the first eight bytes, little-endian
    for (std::size_t i = sizeof(sequence); i-- != 0;)
      sequence = sequence << 8 | static_cast<std::uint8_t>(bytes[i]);
    if (next_ && sequence > *next_) return WalProcessingOption::kStopReplay;
    next_ = sequence + batch.Count();
    return WalProcessingOption::kContinueProcessing;
  }
  [[nodiscard]] const char* Name() const override { return "StopAtGap"; }

 private:
  std::optional<std::uint64_t> next_;
};

}  // namespace nightjar::store
