// Topics whose retained messages the store does not have as they are, each once however often they change:
// what came while the store took nothing. Bounded in bytes. Lives on one worker.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace nightjar::broker {

class LateTopics {
 public:
  explicit LateTopics(std::size_t bytes_max = kBytesMax) : bytes_max_(bytes_max) {}

  [[nodiscard]] bool empty() const { return topics_.empty(); }
  // False for the first that there is no room for, until all have been taken.
  bool add(std::string_view topic) {
    std::string late(topic);
    if (topics_.contains(late)) return true;
    const std::size_t bytes = late.size() + kBytesBeside;
    if (bytes_ + bytes > bytes_max_) return std::exchange(is_full_, true);
    bytes_ += bytes;
    topics_.insert(std::move(late));
    return true;
  }
  // Gives so many of them to `take`.
  template <typename Take>
  void take(std::size_t count_max, Take take) {
    auto topic = topics_.begin();  // looked for once: in an emptied table that takes its time
    for (; count_max != 0 && topic != topics_.end(); --count_max) {
      take(*topic);
      topics_.erase(topic++);
    }
    if (topics_.empty()) *this = LateTopics(bytes_max_);
  }

 private:
  static constexpr std::size_t kBytesMax = std::size_t{32} * 1024 * 1024;
  static constexpr std::size_t kBytesBeside = 48;  // of each, in the table

  std::size_t bytes_max_;
  boost::unordered_flat_set<std::string> topics_;
  std::size_t bytes_ = 0;
  bool is_full_ = false;
};

}  // namespace nightjar::broker
