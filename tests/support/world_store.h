// A Store that outlives the World it serves: a crash takes what is not durable yet, and the next World begins
// with the rest. All calls on the thread of the World.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <stdexcept>
#include <string>

#include "broker/durable/restore.h"
#include "broker/node.h"
#include "broker/policy.h"
#include "broker/ports.h"
#include "broker/worker.h"

namespace nightjar::testing {

// Thrown while a World begins: its machine has died again, and another one may begin.
struct DiedAtStart final : std::runtime_error {
  DiedAtStart() : runtime_error("the machine died while the broker started") {}
};

class WorldStore : public broker::Store {
 public:
  using Rows = std::map<std::string, std::string, std::less<>>;

  // Begins a run: fills the node and its workers with what is there, and takes commits from now on.
  virtual broker::Restored start(broker::Node& node, std::span<broker::Worker* const> workers,
                                 const broker::ListenerPolicy& listener) = 0;
  // Gives what is ready a chance to become durable, and hands out what the store has to say. False if there
  // was nothing to do and nothing is left.
  virtual bool write() = 0;
  // Forgets what is not durable, and takes nothing more until a new World has come. The present one is still
  // there.
  virtual void crash() = 0;
  [[nodiscard]] virtual bool is_running() const = 0;
  [[nodiscard]] virtual Rows rows(broker::Table table) const = 0;
};

}  // namespace nightjar::testing
