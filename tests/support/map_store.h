// A Store in memory that survives the World it serves: commits become durable when the test says so, and a
// crash forgets those that are not. One thread.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "broker/durable/commit_order.h"
#include "broker/ports.h"

namespace nightjar::testing {

class MapStore final : public broker::Store {
 public:
  using Rows = std::map<std::string, std::string, std::less<>>;

  [[nodiscard]] bool is_volatile() const override { return false; }
  void announce(std::shared_ptr<broker::Commit> commit) override;
  [[nodiscard]] bool ready(broker::Commit& commit) override;
  [[nodiscard]] broker::CommitNumber committed(broker::WorkerIndex origin) const override {
    return order_->committed(origin);
  }
  [[nodiscard]] bool is_busy() const override { return false; }
  [[nodiscard]] bool is_refusing() const override { return is_refusing_; }
  void read(broker::WorkerIndex asker, broker::Table table, std::string from, std::string to,
            std::size_t bytes_max, broker::ReadDone then) override;

  void start(broker::Peers& peers, broker::RetainedReader reader);
  // Makes durable what is ready; false if nothing was.
  bool write();
  // Forgets what is not durable, and takes nothing more until a new World has come.
  void crash();

  // Nothing becomes durable while it is held.
  bool is_held = false;
  // As if the disk were full.
  void set_refusing(bool is_refusing) { is_refusing_ = is_refusing; }
  [[nodiscard]] const Rows& rows(broker::Table table) const {
    return tables_[static_cast<std::size_t>(table)];
  }
  void apply(const broker::Changes& changes);
  [[nodiscard]] std::size_t writes() const { return writes_; }  // commits that were not empty
  [[nodiscard]] bool is_running() const { return peers_ != nullptr; }
  std::uint64_t runs = 0;     // Worlds that it has served
  std::size_t announced = 0;  // commits
  std::int64_t time_ms = 0;   // of the store's clock, when the last one ended

 private:
  void tell(broker::WorkerSet workers);

  std::array<Rows, broker::kTableCount> tables_;
  std::unique_ptr<broker::CommitOrder> order_ = std::make_unique<broker::CommitOrder>();
  broker::Peers* peers_ = nullptr;
  broker::RetainedReader reader_;
  bool is_refusing_ = false;
  std::size_t writes_ = 0;
};

}  // namespace nightjar::testing
