// How the durable store is kept. Values.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace rocksdb {
class Env;
}

namespace nightjar::store {

struct RocksOptions {
  // When a commit counts as durable.
  enum class Sync : std::uint8_t {
    kFsync,  // on the disk: it survives a power cut
    kOs      // with the operating system: it survives the end of the process
  };
  Sync sync = Sync::kFsync;

  // Replayed at start, so it bounds how long a start takes after a crash.
  std::size_t wal_bytes_max = std::size_t{64} * 1024 * 1024;
  // Of all tables together. Memory, held only while there is something to write back.
  std::size_t write_buffers_bytes = std::size_t{16} * 1024 * 1024;
  std::size_t block_cache_bytes = std::size_t{8} * 1024 * 1024;
  // More commits that wait are written one batch after the other, so that the first need not wait for the
  // last.
  std::size_t batch_bytes_max = std::size_t{8} * 1024 * 1024;
  int open_files_max = 256;

  // After a failed write the store is closed, opened and written again this often.
  Duration retry = Duration::seconds(1);

  // Files, for tests that let them fail; nullptr: the operating system's. Outlives the store.
  rocksdb::Env* env = nullptr;
};

}  // namespace nightjar::store
