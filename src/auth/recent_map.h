// A map with a bound that forgets what has not been used for long: when half of its room is used up, what was
// not asked for since the last time goes. A plain value, one thread at a time.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <utility>

namespace nightjar::auth {

template <typename Key, typename Value, typename Hash>
class RecentMap {
 public:
  explicit RecentMap(std::size_t entries_max) : half_(entries_max / 2) {}

  // The entry counts as used; nullptr if there is none. Valid until the next call.
  Value* find(const Key& key) {
    if (const auto at = young_.find(key); at != young_.end()) return &at->second;
    const auto at = old_.find(key);
    if (at == old_.end()) return nullptr;
    Value value = std::move(at->second);
    old_.erase(at);
    return &put(key, std::move(value));
  }
  Value& put(const Key& key, Value value) {
    if (young_.size() >= half_) {
      old_ = std::move(young_);
      young_ = {};
    }
    return young_.insert_or_assign(key, std::move(value)).first->second;
  }
  void erase(const Key& key) {
    young_.erase(key);
    old_.erase(key);
  }
  void clear() { young_ = old_ = {}; }
  [[nodiscard]] std::size_t size() const { return young_.size() + old_.size(); }

 private:
  std::size_t half_;
  boost::unordered_flat_map<Key, Value, Hash> young_;
  boost::unordered_flat_map<Key, Value, Hash> old_;
};

}  // namespace nightjar::auth
