// The Store of a broker that keeps nothing: everything counts as committed at once, and a restart forgets it.
// Each worker uses its own position, so no locks are needed.
#pragma once

#include <array>

#include "broker/ports.h"

namespace nightjar::store {

class MemoryStore final : public broker::Store {
 public:
  broker::StoreTicket append(broker::WorkerIndex worker, const broker::Record&) override {
    return ++positions_[worker.value].appended;
  }
  void close_batch(broker::WorkerIndex) override {}
  [[nodiscard]] broker::StoreTicket committed(broker::WorkerIndex worker) const override {
    return positions_[worker.value].appended;
  }
  [[nodiscard]] bool is_volatile() const override { return true; }

 private:
  // One cache line each: workers count without disturbing each other.
  struct alignas(64) Position {
    broker::StoreTicket appended = 0;
  };
  std::array<Position, broker::kWorkersMax> positions_{};
};

}  // namespace nightjar::store
