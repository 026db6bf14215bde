// The subscriptions of one filter on one worker: nearly always one, so that one costs a pointer. Lives on
// that worker.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace nightjar::broker {

struct Subscription;

class TargetList {
 public:
  TargetList() = default;
  TargetList(TargetList&& other) noexcept : one_or_many_(std::exchange(other.one_or_many_, nullptr)) {}
  TargetList& operator=(TargetList&& other) noexcept {
    std::swap(one_or_many_, other.one_or_many_);
    return *this;
  }
  TargetList(const TargetList&) = delete;
  TargetList& operator=(const TargetList&) = delete;
  ~TargetList() { delete many(); }

  void add(Subscription* subscription) {
    if (empty()) {
      one_or_many_ = subscription;
    } else if (is_many()) {
      many()->push_back(subscription);
    } else {
      set_many(std::make_unique<Many>(Many{one_or_many_, subscription}));
    }
  }
  // False if it was not there. The order of the others may change.
  bool remove(Subscription* subscription) {
    if (!is_many()) {
      if (one_or_many_ != subscription || empty()) return false;
      one_or_many_ = nullptr;
      return true;
    }
    Many& list = *many();
    const auto at = std::find(list.begin(), list.end(), subscription);
    if (at == list.end()) return false;
    *at = list.back();
    list.pop_back();
    if (list.size() == 1) {
      Subscription* const last = list.front();
      delete many();
      one_or_many_ = last;
    }
    return true;
  }
  [[nodiscard]] bool empty() const { return one_or_many_ == nullptr; }
  [[nodiscard]] Subscription* const* begin() const { return is_many() ? many()->data() : &one_or_many_; }
  [[nodiscard]] Subscription* const* end() const {
    if (is_many()) return many()->data() + many()->size();
    return &one_or_many_ + (empty() ? 0 : 1);
  }

 private:
  using Many = std::vector<Subscription*>;
  // Objects are aligned, so the lowest bit of a pointer is free to tell a list from a subscription.
  static constexpr std::uintptr_t kManyBit = 1;

  [[nodiscard]] bool is_many() const {
    return (reinterpret_cast<std::uintptr_t>(one_or_many_) & kManyBit) != 0;
  }
  [[nodiscard]] Many* many() const {
    return is_many() ? reinterpret_cast<Many*>(reinterpret_cast<std::uintptr_t>(one_or_many_) - kManyBit)
                     : nullptr;
  }
  void set_many(std::unique_ptr<Many> list) {
    one_or_many_ =
        reinterpret_cast<Subscription*>(reinterpret_cast<std::uintptr_t>(list.release()) + kManyBit);
  }

  Subscription* one_or_many_ = nullptr;
};

}  // namespace nightjar::broker
