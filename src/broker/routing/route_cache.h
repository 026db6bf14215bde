// Where the messages of a topic go from this worker, worked out once and kept while no subscription changes
// that may concern the topic: a device that repeats its topic costs one look-up. Lives on one worker.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/keyed_hash.h"
#include "broker/ids.h"
#include "broker/routing/change_stamps.h"
#include "broker/session/receiver.h"

namespace nightjar::broker {

class SharedGroup;

struct Route {
  // Filters with subscribers on another worker.
  struct Peer {
    WorkerIndex worker;
    std::vector<FilterId> filters;
  };

  std::string topic;  // a valid topic name
  std::uint16_t levels = 0;
  RouteVersion checked = 0;  // nothing below had changed at this version of the tree
  ChangeStamp stamp;
  bool is_matched = false;  // somebody on some worker subscribed
  // None of this worker's receivers has No Local: `receivers` and `groups` say everything.
  bool is_plain = false;
  RouteVersion newest = 0;  // of the subscriptions behind `receivers` and `groups`
  std::vector<FilterId> own_filters;
  std::vector<Receiver> receivers;
  std::vector<SharedGroup*> groups;  // live as long as the entry is current
  std::vector<Peer> peers;

  [[nodiscard]] std::size_t bytes() const;
};

class RouteCache {
 public:
  // The entry of a topic, or nullptr. It may be out of date: see Route::checked.
  Route* find(std::string_view topic);
  // A new entry for a valid topic that has none. May free entries that were not used for long; pointers and
  // references to others than the new one are void then.
  Route& insert(std::string_view topic);
  // After the entry was filled: what it holds counts against the limit.
  void filled(const Route& route) { young_bytes_ += route.bytes(); }

  [[nodiscard]] std::size_t size() const { return young_.size() + old_.size(); }
  // Frees everything. For a time without much traffic.
  void clear();

  // Of one half of the cache; it holds at most twice as much.
  static constexpr std::size_t kEntriesMax = 96 * 1024;
  static constexpr std::size_t kBytesMax = 24 * 1024 * 1024;

 private:
  // Frees what was not used since the last call but one.
  void age();

  using Half = boost::unordered_flat_map<std::string_view, std::unique_ptr<Route>, KeyedHash>;

  // Nobody outside can know an address of this process: topics that collide cannot be chosen.
  Half young_{0, KeyedHash{reinterpret_cast<std::uintptr_t>(this)}};
  Half old_{0, KeyedHash{reinterpret_cast<std::uintptr_t>(this)}};
  std::size_t young_bytes_ = 0;
  Route* last_ = nullptr;  // what find() or insert() gave last: packets of one topic come many together
};

}  // namespace nightjar::broker
