// Which topics a change of the subscription tree may concern: counters that hang on the first levels of the
// filter that changed. Whoever keeps the result of a match keeps the counters of its topic as well, and
// works the match out again only when one of them has moved. A filter that churns below a device's own
// prefix leaves all other topics alone.
//
// Threads: bump() by whoever holds the tree's change, read() by everybody at any time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

namespace nightjar::broker {

// The counters that concern one topic, and what they were when it was matched.
struct ChangeStamp {
  // Filters that begin with wildcards; "+/b…"; "a…", "a/b…", "a/b/c…"; "a/+/c…" (for topic a/b/c…).
  static constexpr std::size_t kSlots = 6;
  std::array<std::uint16_t, kSlots> slot{};
  std::array<std::uint32_t, kSlots> value{};
};

class ChangeStamps {
 public:
  // Two filters may share a counter: then a match is worked out again without need. 64 KiB, touched where
  // used.
  static constexpr std::size_t kCounters = 16 * 1024;

  ChangeStamps();

  // A subscription of `filter` (valid, without "$share") came, went or changed.
  void bump(std::string_view filter);

  // The slots of a topic, with their present values.
  [[nodiscard]] ChangeStamp read(std::string_view topic) const;
  // True if no change since `stamp` was read can concern its topic.
  [[nodiscard]] bool is_current(const ChangeStamp& stamp) const {
    for (std::size_t i = 0; i < ChangeStamp::kSlots; ++i) {
      if (counters_[stamp.slot[i]].load(std::memory_order_acquire) != stamp.value[i]) return false;
    }
    return true;
  }

 private:
  std::unique_ptr<std::atomic<std::uint32_t>[]> counters_;
};

}  // namespace nightjar::broker
