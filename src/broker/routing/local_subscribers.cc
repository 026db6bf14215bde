#include "broker/routing/local_subscribers.h"

namespace nightjar::broker {

RouteVersion LocalSubscribers::add(std::string_view filter, Subscription& subscription) {
  subscription.filter = tree_.add(filter, worker_);
  const std::size_t at = subscription.filter.value;
  if (at >= targets_.size()) targets_.resize(at + 1);
  targets_[at].add(&subscription);
  return tree_.note_change(filter);
}

void LocalSubscribers::remove(std::string_view filter, Subscription& subscription) {
  const std::size_t at = subscription.filter.value;
  if (at >= targets_.size() || !targets_[at].remove(&subscription)) return;
  tree_.note_change(filter);
  if (targets_[at].empty()) forget_unless_needed(filter, subscription.filter);
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
