// All topic filters of the node, in one tree shared by its workers. For each filter it knows which workers
// have subscribers; who they are is kept by each worker for itself (LocalSubscribers).
//
// Threads: match() and version() may be called by every worker at any time, take no lock and write no shared
// line. add() and remove() may be called by every worker; they take the writer's lock for a short time.
// Memory that a reader may still see is reclaimed only when every worker has passed a turn boundary
// (quiescent()) or sleeps (offline()).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "broker/ids.h"
#include "broker/routing/change_stamps.h"

namespace nightjar::broker {

// One filter that matches a topic, and the workers that have subscribers of it.
struct Match {
  FilterId filter;
  WorkerSet workers;
};

class SubscriptionTree {
 public:
  explicit SubscriptionTree(std::uint16_t workers);
  ~SubscriptionTree();
  SubscriptionTree(const SubscriptionTree&) = delete;
  SubscriptionTree& operator=(const SubscriptionTree&) = delete;

  // Declares that `worker` has subscribers of `filter` (valid, without "$share"). Idempotent for one worker.
  FilterId add(std::string_view filter, WorkerIndex worker);
  // The worker has none left. The id may be given to another filter afterwards.
  void remove(std::string_view filter, WorkerIndex worker);

  // A subscription of `filter` came (after add), changed, or is about to go: what was worked out for topics
  // that it matches no longer holds. Begins a version, which is returned.
  RouteVersion note_change(std::string_view filter) {
    stamps_.bump(filter);
    return advance_version();
  }
  // What changed since, by the prefixes of filters. Read version() first.
  [[nodiscard]] const ChangeStamps& stamps() const { return stamps_; }
  // Begins a new version: everything added before is visible to whoever reads this version or a later one.
  RouteVersion advance_version() { return version_.fetch_add(1, std::memory_order_acq_rel) + 1; }
  [[nodiscard]] RouteVersion version() const { return version_.load(std::memory_order_acquire); }

  // Appends every filter that matches the valid topic name to `out`. A topic of thousands of levels costs no
  // stack.
  void match(std::string_view topic, std::vector<Match>& out) const;

  // `worker` holds no pointer into the tree at this moment.
  void quiescent(WorkerIndex worker);
  // The same, until the next online(): the worker sleeps and does not delay reclamation.
  void offline(WorkerIndex worker);
  void online(WorkerIndex worker);

  [[nodiscard]] std::size_t filter_count() const;
  // Heap bytes of nodes and tables, those waiting for reclamation included.
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct Rooms;
  std::atomic<RouteVersion> version_{1};
  ChangeStamps stamps_;
  std::unique_ptr<Rooms> rooms_;
};

}  // namespace nightjar::broker
