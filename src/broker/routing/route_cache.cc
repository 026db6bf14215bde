#include "broker/routing/route_cache.h"

#include <utility>

namespace nightjar::broker {

std::size_t Route::bytes() const {
  std::size_t bytes = sizeof(Route) + topic.size() + own_filters.size() * sizeof(FilterId) +
                      receivers.size() * sizeof(Receiver) + groups.size() * sizeof(void*);
  for (const Peer& peer : peers) bytes += sizeof(Peer) + peer.filters.size() * sizeof(FilterId);
  return bytes;
}

Route* RouteCache::find(std::string_view topic) {
  if (last_ != nullptr && last_->topic == topic) return last_;
  if (const auto found = young_.find(topic); found != young_.end()) return last_ = found->second.get();
  if (old_.empty()) return nullptr;
  const auto found = old_.find(topic);
  if (found == old_.end()) return nullptr;
  std::unique_ptr<Route> used = std::move(found->second);
  old_.erase(found);
  Route& route = *used;
  young_bytes_ += route.bytes();
  young_.emplace(route.topic, std::move(used));
  return last_ = &route;
}

Route& RouteCache::insert(std::string_view topic) {
  if (young_.size() >= kEntriesMax || young_bytes_ > kBytesMax) age();
  auto made = std::make_unique<Route>();
  made->topic = topic;
  Route& route = *made;
  young_.emplace(route.topic, std::move(made));
  last_ = &route;
  return route;
}

void RouteCache::clear() {
  age();
  age();
}

void RouteCache::age() {
  old_ = std::move(young_);
  young_ = Half{0, old_.hash_function()};
  young_bytes_ = 0;
  last_ = nullptr;
}

}  // namespace nightjar::broker
