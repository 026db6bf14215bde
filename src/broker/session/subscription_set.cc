#include "broker/session/subscription_set.h"

namespace nightjar::broker {

std::size_t SubscriptionSet::position(std::string_view text) const {
  if (index_) {
    const auto found = index_->find(text);
    return found == index_->end() ? list_.size() : found->second;
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
    index_->emplace(inserted.text, static_cast<std::uint32_t>(list_.size() - 1));
  } else if (list_.size() >= kIndexFrom) {
    index_ = std::make_unique<Index>();
    for (std::uint32_t i = 0; i < list_.size(); ++i) index_->emplace(list_[i]->text, i);
  }
  return inserted;
}

std::unique_ptr<Subscription> SubscriptionSet::take(std::string_view text) {
  const std::size_t at = position(text);
  if (at == list_.size()) return nullptr;
  std::unique_ptr<Subscription> taken = std::move(list_[at]);
  bytes_ -= taken->text.size();
  if (index_) index_->erase(taken->text);
  if (at + 1 != list_.size()) {
    list_[at] = std::move(list_.back());
    if (index_) (*index_)[list_[at]->text] = static_cast<std::uint32_t>(at);
  }
  list_.pop_back();
  return taken;
}

}  // namespace nightjar::broker
