// The subscriptions of one session, by filter text. Small sets are a plain list; a larger one gets an index.
// Lives on the session's home worker.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/keyed_hash.h"
#include "broker/session/subscription.h"

namespace nightjar::broker {

class SubscriptionSet {
 public:
  SubscriptionSet() = default;
  SubscriptionSet(const SubscriptionSet&) = delete;
  SubscriptionSet& operator=(const SubscriptionSet&) = delete;

  [[nodiscard]] Subscription* find(std::string_view text) const;
  Subscription& insert(std::unique_ptr<Subscription> subscription);
  // The subscription, taken out; nullptr if there is none of this text.
  std::unique_ptr<Subscription> take(std::string_view text);

  [[nodiscard]] std::size_t size() const { return list_.size(); }
  // Of the filters' texts.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] bool empty() const { return list_.empty(); }
  // The one that is taken out at least cost.
  [[nodiscard]] const Subscription& last() const { return *list_.back(); }
  [[nodiscard]] auto begin() const { return list_.begin(); }
  [[nodiscard]] auto end() const { return list_.end(); }

 private:
  // Below this a linear search is as fast as a hash, and an index would dominate the memory.
  static constexpr std::size_t kIndexFrom = 9;

  [[nodiscard]] std::size_t position(std::string_view text) const;

  std::vector<std::unique_ptr<Subscription>> list_;
  std::size_t bytes_ = 0;
  // Places in the list, found by the text that stands there.
  struct TextHash {
    using is_transparent = void;
    using is_avalanching = void;
    const SubscriptionSet* set;
    std::uint64_t operator()(std::string_view text) const {
      return keyed_hash(text, reinterpret_cast<std::uintptr_t>(set));
    }
    std::uint64_t operator()(std::uint32_t place) const { return (*this)(set->list_[place]->text.view()); }
  };
  struct TextEqual {
    using is_transparent = void;
    const SubscriptionSet* set;
    bool operator()(std::uint32_t a, std::uint32_t b) const { return a == b; }
    bool operator()(std::string_view text, std::uint32_t place) const {
      return set->list_[place]->text == text;
    }
    bool operator()(std::uint32_t place, std::string_view text) const { return (*this)(text, place); }
  };
  using Index = boost::unordered_flat_set<std::uint32_t, TextHash, TextEqual>;
  std::unique_ptr<Index> index_;
};

}  // namespace nightjar::broker
