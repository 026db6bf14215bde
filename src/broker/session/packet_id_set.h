// Packet ids of one direction, mostly none: holds no memory until it is used. A plain value.
#pragma once

#include <algorithm>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "mqtt/types.h"

namespace nightjar::broker {

class PacketIdSet {
 public:
  PacketIdSet() = default;
  PacketIdSet(PacketIdSet&&) noexcept = default;
  PacketIdSet& operator=(PacketIdSet&&) noexcept = default;
  PacketIdSet(const PacketIdSet& other) { *this = other; }
  PacketIdSet& operator=(const PacketIdSet& other) {
    if (this != &other) ids_ = other.empty() ? nullptr : std::make_unique<Ids>(*other.ids_);
    return *this;
  }
  ~PacketIdSet() = default;

  [[nodiscard]] bool contains(mqtt::PacketId id) const { return ids_ && ids_->contains(id.value); }
  void insert(mqtt::PacketId id) {
    if (!ids_) ids_ = std::make_unique<Ids>();
    ids_->insert(id.value);
  }
  // False if it was not there.
  bool erase(mqtt::PacketId id) {
    if (!ids_ || ids_->erase(id.value) == 0) return false;
    // A busy publisher empties and fills it all the time; only a large table is worth giving back.
    if (ids_->empty() && ids_->bucket_count() > kCapacityKept) ids_.reset();
    return true;
  }
  [[nodiscard]] std::size_t size() const { return ids_ ? ids_->size() : 0; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::vector<std::uint16_t> in_order() const {
    if (!ids_) return {};
    std::vector<std::uint16_t> sorted(ids_->begin(), ids_->end());
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }

 private:
  static constexpr std::size_t kCapacityKept = 128;
  using Ids = boost::unordered_flat_set<std::uint16_t>;
  std::unique_ptr<Ids> ids_;
};

}  // namespace nightjar::broker
