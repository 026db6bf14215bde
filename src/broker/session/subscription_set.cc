#include "broker/session/subscription_set.h"

namespace nightjar::broker {

std::size_t SubscriptionSet::position(std::string_view text) const {
  if (index_) {
    const auto found = index_->find(text);
    return found == index_->end() ? list_.size() : *found;
  }
  std::size_t at = 0;
  while (at < list_.size() && list_[at]->text != text) ++at;
  return at;
}

Subscription* SubscriptionSet::find(std::string_view text) const {
  const std::size_t at = position(text);
  return at == list_.size() ? nullptr : list_[at].get();
}

Subscription& SubscriptionSet::insert(std::unique_ptr<Subscription> subscription) {
  list_.push_back(std::move(subscription));
  Subscription& inserted = *list_.back();
  bytes_ += inserted.text.size();
  if (index_) {
    index_->insert(static_cast<std::uint32_t>(list_.size() - 1));
  } else if (list_.size() >= kIndexFrom) {
    index_ = std::make_unique<Index>(2 * list_.size(), TextHash{this}, TextEqual{this});
    for (std::uint32_t i = 0; i < list_.size(); ++i) index_->insert(i);
  }
  return inserted;
}

std::unique_ptr<Subscription> SubscriptionSet::take(std::string_view text) {
  const std::size_t at = position(text);
  if (at == list_.size()) return nullptr;
  const std::size_t last = list_.size() - 1;
  if (index_) {
    index_->erase(static_cast<std::uint32_t>(at));
    if (at != last) index_->erase(static_cast<std::uint32_t>(last));
  }
  std::unique_ptr<Subscription> taken = std::move(list_[at]);
  bytes_ -= taken->text.size();
  if (at != last) list_[at] = std::move(list_[last]);
  list_.pop_back();
  if (index_ && at != last) index_->insert(static_cast<std::uint32_t>(at));
  return taken;
}

}  // namespace nightjar::broker
