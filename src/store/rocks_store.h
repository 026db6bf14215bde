// The Store that survives: commits written to RocksDB by one thread, the committer, many at a time. While one
// group is on its way to the disk the next one gathers; a worker never waits. Workers hear by mail when their
// commits are durable.
//
// When a write fails, nothing is acknowledged and nothing is given up: the store says so once, keeps the
// commits, and closes, opens and writes again every second until it works. An fsync that failed is never
// repeated and believed, because the system may have dropped what it could not write: opening reads
// everything back, writes it to new files and syncs those.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "broker/durable/commit_order.h"
#include "broker/ports.h"
#include "store/database.h"
#include "store/read_queue.h"
#include "store/rocks_options.h"

namespace nightjar::store {

class RocksStore final : public broker::Store {
 public:
  // `directory` is the store's alone; an empty store is made if it is not there. The error can be acted on.
  static Result<std::unique_ptr<RocksStore>> open(const std::filesystem::path& directory,
                                                  const RocksOptions& options);
  // Orderly: what is ready is written first, if the disk lets it. After the last worker has ended.
  ~RocksStore() override;

  // Before start(): changes of the start itself, durable at once. No refresh.
  Result<void> apply(const broker::Changes& changes);
  // Starts the threads; commits and reads are taken from now on. `peers` outlives the store.
  void start(broker::Peers& peers, broker::RetainedReader reader);

  // Any thread. Everything that may be written has been, and what there is to say about it was said.
  [[nodiscard]] bool is_at_rest() const { return phase_.load(std::memory_order_acquire) == Phase::kAsleep; }

  // Any thread. What was durable at the call, in the order of the keys from `from` on; an error while the
  // store cannot be written. A visitor that takes long delays the recovery from that.
  Result<void> scan(broker::Table table, std::string_view from, const EntryVisitor& visit) const;
  // Any thread, not a worker's. A store of its own at `directory`, which must not be there yet.
  Result<void> backup(const std::filesystem::path& directory) const;

  // Any thread.
  [[nodiscard]] StoreFigures figures() const;

  [[nodiscard]] bool is_volatile() const override { return false; }
  void announce(std::shared_ptr<broker::Commit> commit) override { order_.announce(std::move(commit)); }
  [[nodiscard]] bool ready(broker::Commit& commit) override;
  [[nodiscard]] broker::CommitNumber committed(broker::WorkerIndex origin) const override {
    return order_.committed(origin);
  }
  [[nodiscard]] bool is_busy() const override {
    return phase_.load(std::memory_order_acquire) == Phase::kWriting;
  }
  [[nodiscard]] bool is_refusing() const override { return is_refusing_.load(std::memory_order_acquire); }
  void read(broker::WorkerIndex asker, broker::Table table, std::string from, std::string to,
            std::size_t bytes_max, broker::ReadDone then) override;

 private:
  using Commits = std::vector<std::shared_ptr<broker::Commit>>;
  // Of the committer. kWriting until it has seen that nothing is ready, so nobody needs to wake it then.
  enum class Phase : std::uint8_t { kAsleep, kWoken, kWriting };
  struct Outage {
    std::chrono::steady_clock::time_point since;
    bool is_disk_full = false;
    bool is_reopening_logged = false;
  };

  RocksStore(std::filesystem::path directory, const RocksOptions& options);
  Result<std::unique_ptr<Database>> open_database();

  // The committer.
  void commit_until_end();
  bool wait_for_work();
  void write_what_is_ready();
  Result<void, WriteFailure> write(Commits commits);
  void count_write(std::size_t commits, std::size_t bytes, std::chrono::nanoseconds time);
  void tell(broker::WorkerSet workers);
  bool has_trouble();
  bool reopen();
  void begin_outage(const WriteFailure& failure);
  void end_outage();

  Result<std::shared_lock<std::shared_mutex>> use_database() const;
  Result<broker::StoredEntries> read_now(const ReadRequest& request) const;

  const std::filesystem::path directory_;
  const RocksOptions options_;
  broker::CommitOrder order_;
  broker::Peers* peers_ = nullptr;
  broker::RetainedReader retained_;

  std::atomic<Phase> phase_{Phase::kAsleep};
  std::atomic<bool> is_refusing_{false};
  std::optional<Outage> outage_;  // the committer's

  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_ending_ = false;
  std::optional<WriteFailure> trouble_;  // of background work

  mutable std::shared_mutex
      access_;  // alone: to close and open; shared: to use, but for the committer, who closes
  StoreCounters counters_;
  std::unique_ptr<Database> database_;  // nullptr while it cannot be opened
  std::optional<ReadQueue> reads_;
  std::thread committer_;
};

}  // namespace nightjar::store
