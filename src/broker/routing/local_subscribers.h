// Who on this worker receives a filter: the half of the subscription table that the shared tree leaves out.
// Lives on one worker; nobody else touches it.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <string_view>
#include <vector>

#include "broker/ids.h"
#include "broker/routing/subscription_tree.h"
#include "broker/routing/target_list.h"
#include "broker/session/subscription.h"

namespace nightjar::broker {

class LocalSubscribers {
 public:
  LocalSubscribers(SubscriptionTree& tree, WorkerIndex worker) : tree_(tree), worker_(worker) {}

  // Makes `subscription` a receiver of `filter` (without "$share") and sets its FilterId. Returns the version
  // from which on it receives.
  RouteVersion add(std::string_view filter, Subscription& subscription);
  void remove(std::string_view filter, Subscription& subscription);
  // Its options have changed.
  void change(std::string_view filter) { tree_.note_change(filter); }

  // nullptr if this worker has no receiver of the filter.
  [[nodiscard]] const TargetList* find(FilterId filter) const {
    if (filter.value >= targets_.size() || targets_[filter.value].empty()) return nullptr;
    return &targets_[filter.value];
  }

  // The worker goes on hearing of a filter although it may have no receiver of it any more (a shard has left
  // and messages for it still arrive), until unpin.
  void pin(FilterId id) { ++pins_[id]; }
  void unpin(std::string_view filter, FilterId id);

 private:
  void forget_unless_needed(std::string_view filter, FilterId id);

  SubscriptionTree& tree_;
  WorkerIndex worker_;
  std::vector<TargetList> targets_;  // by filter: ids are dense, and used again
  boost::unordered_flat_map<FilterId, std::uint32_t> pins_;
};

}  // namespace nightjar::broker
