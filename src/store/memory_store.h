// The Store of a broker that keeps nothing: a restart forgets everything, so nobody makes commits. Any
// thread.
#pragma once

#include <memory>
#include <string>

#include "broker/ports.h"

namespace nightjar::store {

class MemoryStore final : public broker::Store {
 public:
  [[nodiscard]] bool is_volatile() const override { return true; }
  void announce(std::shared_ptr<broker::Commit>) override {}
  [[nodiscard]] bool ready(broker::Commit&) override { return true; }
  [[nodiscard]] broker::CommitNumber committed(broker::WorkerIndex) const override { return 0; }
  [[nodiscard]] bool is_busy() const override { return false; }
  [[nodiscard]] bool is_refusing() const override { return false; }
  void read(broker::WorkerIndex, broker::Table, std::string, std::string, std::size_t,
            broker::ReadDone) override {}
};

}  // namespace nightjar::store
