#include "broker/routing/local_subscribers.h"

#include <algorithm>

namespace nightjar::broker {

RouteVersion LocalSubscribers::add(std::string_view filter, Subscription& subscription) {
  subscription.filter = tree_.add(filter, worker_);
  targets_[subscription.filter].push_back(&subscription);
  return tree_.note_change(filter);
}

void LocalSubscribers::remove(std::string_view filter, Subscription& subscription) {
  const auto found = targets_.find(subscription.filter);
  if (found == targets_.end()) return;
  Targets& targets = found->second;
  const auto at = std::find(targets.begin(), targets.end(), &subscription);
  if (at == targets.end()) return;
  *at = targets.back();
  targets.pop_back();
  tree_.note_change(filter);
  if (!targets.empty()) return;
  targets_.erase(found);
  forget_unless_needed(filter, subscription.filter);
}

void LocalSubscribers::unpin(std::string_view filter, FilterId id) {
  const auto pin = pins_.find(id);
  if (pin == pins_.end() || --pin->second != 0) return;
  pins_.erase(pin);
  forget_unless_needed(filter, id);
}

void LocalSubscribers::forget_unless_needed(std::string_view filter, FilterId id) {
  if (!pins_.contains(id) && find(id) == nullptr) tree_.remove(filter, worker_);
}

}  // namespace nightjar::broker
