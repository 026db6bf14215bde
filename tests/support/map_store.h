// The store of a World in memory: commits become durable when the test says so.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "broker/durable/commit_order.h"
#include "tests/support/world_store.h"

namespace nightjar::testing {

class MapStore final : public WorldStore {
 public:
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

  broker::Restored start(broker::Node& node, std::span<broker::Worker* const> workers,
                         const broker::ListenerPolicy& listener) override;
  bool write() override;
  void crash() override;

  // Nothing becomes durable while it is held.
  bool is_held = false;
  // As if the disk were full.
  void set_refusing(bool is_refusing) { is_refusing_ = is_refusing; }
  [[nodiscard]] Rows rows(broker::Table table) const override { return at(table); }
  // As no broker writes it.
  void put_row(broker::Table table, const std::string& key, std::string value) {
    tables_[static_cast<std::size_t>(table)].insert_or_assign(key, std::move(value));
  }
  [[nodiscard]] std::size_t writes() const { return writes_; }  // commits that were not empty
  [[nodiscard]] bool is_running() const override { return node_ != nullptr; }
  std::size_t announced = 0;  // commits

 private:
  [[nodiscard]] const Rows& at(broker::Table table) const { return tables_[static_cast<std::size_t>(table)]; }
  void apply(const broker::Changes& changes);
  void tell(broker::WorkerSet workers);

  std::array<Rows, broker::kTableCount> tables_;
  std::unique_ptr<broker::CommitOrder> order_ = std::make_unique<broker::CommitOrder>();
  broker::Node* node_ = nullptr;  // of the World that it serves
  std::uint64_t runs_ = 0;        // Worlds that it has served
  std::int64_t time_ms_ = 0;      // of the store's clock, when the last one ended
  bool is_refusing_ = false;
  std::size_t writes_ = 0;
};

}  // namespace nightjar::testing
