// The store of the broker itself under a World, started as the broker starts it, on the disk of a machine
// that loses its power: a crash takes everything that was not synced. The threads of the store change files
// only while the World waits for them, in write(), so that the power goes at a moment when the broker does
// not run on without it; in between they may stand in the middle of a write.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "store/rocks_store.h"
#include "tests/support/impatient_env.h"
#include "tests/support/power_cut_fs.h"
#include "tests/support/temp_dir.h"
#include "tests/support/world_store.h"

namespace nightjar::sim {

struct PowerCutPlan {
  std::uint64_t seed = 1;
  store::RocksOptions::Sync sync = store::RocksOptions::Sync::kFsync;
  test_support::PowerCutFs::Liar liar = test_support::PowerCutFs::Liar::kNobody;
};

class PowerCutStore final : public testing::WorldStore, private broker::Peers {
 public:
  explicit PowerCutStore(const PowerCutPlan& plan);
  ~PowerCutStore() override;

  broker::Restored start(broker::Node& node, std::span<broker::Worker* const> workers,
                         const broker::ListenerPolicy& listener) override;
  bool write() override;
  void crash() override;
  [[nodiscard]] bool is_running() const override { return rocks_ != nullptr; }
  [[nodiscard]] Rows rows(broker::Table table) const override;

  // How often the power went.
  [[nodiscard]] std::uint64_t cuts() const { return cuts_; }

  [[nodiscard]] bool is_volatile() const override { return false; }
  void announce(std::shared_ptr<broker::Commit> commit) override;
  [[nodiscard]] bool ready(broker::Commit& commit) override { return rocks_ && rocks_->ready(commit); }
  [[nodiscard]] broker::CommitNumber committed(broker::WorkerIndex origin) const override {
    return rocks_ ? rocks_->committed(origin) : 0;
  }
  [[nodiscard]] bool is_busy() const override { return rocks_ && rocks_->is_busy(); }
  [[nodiscard]] bool is_refusing() const override { return rocks_ && rocks_->is_refusing(); }
  void read(broker::WorkerIndex asker, broker::Table table, std::string from, std::string to,
            std::size_t bytes_max, broker::ReadDone then) override;

 private:
  struct Letter {
    broker::WorkerIndex to;
    std::unique_ptr<broker::MailBatch> batch;
  };

  // On any thread of the store, or that of the World.
  void post(broker::WorkerIndex from, broker::WorkerIndex to,
            std::unique_ptr<broker::MailBatch> batch) override;
  [[nodiscard]] bool is_at_rest() const { return rocks_->is_at_rest() && answers_due_.load() == 0; }
  std::uint64_t changes_now();
  bool hand_out_letters();
  void open();
  void lose_power();
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  std::mt19937_64 random_;
  const test_support::TempDir temp_;
  const std::shared_ptr<test_support::PowerCutFs> disk_;
  test_support::ImpatientEnv env_;
  store::RocksOptions options_;
  const std::thread::id world_thread_ = std::this_thread::get_id();
  std::uint64_t cuts_ = 0;
  std::uint64_t stuck_for_ = 0;      // writes
  broker::Peers* peers_ = nullptr;   // of the World that is there
  std::atomic<int> answers_due_{0};  // of reads
  std::mutex mutex_;
  std::vector<Letter> letters_;  // from the threads of the store, not yet with the World
  std::unique_ptr<store::RocksStore> rocks_;
};

}  // namespace nightjar::sim
