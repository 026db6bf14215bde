// Subscription Identifiers of one delivery, nearly always none or one: small, and cheap to move. A plain
// value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace nightjar::broker {

class SubscriptionIds {
 public:
  SubscriptionIds() = default;
  SubscriptionIds(SubscriptionIds&&) noexcept = default;
  SubscriptionIds& operator=(SubscriptionIds&&) noexcept = default;
  SubscriptionIds(const SubscriptionIds& other)
      : one_(other.one_),
        all_(other.all_ ? std::make_unique<std::vector<std::uint32_t>>(*other.all_) : nullptr) {}
  SubscriptionIds& operator=(const SubscriptionIds& other) {
    if (this != &other) *this = SubscriptionIds(other);
    return *this;
  }
  ~SubscriptionIds() = default;

  // `id` is not 0.
  void push_back(std::uint32_t id) {
    if (all_) {
      all_->push_back(id);
    } else if (one_ == 0) {
      one_ = id;
    } else {
      all_ = std::make_unique<std::vector<std::uint32_t>>(std::vector<std::uint32_t>{one_, id});
    }
  }
  [[nodiscard]] bool empty() const { return one_ == 0; }
  [[nodiscard]] const std::uint32_t* begin() const { return all_ ? all_->data() : &one_; }
  [[nodiscard]] const std::uint32_t* end() const {
    return all_ ? all_->data() + all_->size() : &one_ + (one_ == 0 ? 0 : 1);
  }

 private:
  std::uint32_t one_ = 0;                            // the first
  std::unique_ptr<std::vector<std::uint32_t>> all_;  // when there are more
};

}  // namespace nightjar::broker
