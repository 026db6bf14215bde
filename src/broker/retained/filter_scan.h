// How a topic filter finds its topics in an ordered set of them without looking at all: for every topic that
// it looks at it names the next place worth a look. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nightjar::broker {

// The order of topics: level by level, a parent before what lies below it, and nothing between those. That is
// the order of bytes with '/' before all others.
struct TopicOrder {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

class FilterScan {
 public:
  // `filter` is valid, holds a wildcard and outlives the scan.
  explicit FilterScan(std::string_view filter);

  enum class Onward {
    kNext,  // to the topic behind this one
    kSeek,  // to the first topic that is not before seek_key()
    kEnd,   // nothing behind this topic matches
  };
  struct Verdict {
    bool matches;
    Onward onward;
  };
  // No topic before this one matches: the levels in front of the first wildcard.
  [[nodiscard]] std::string_view first_key() const { return first_key_; }
  // A place that is named lies behind `topic`.
  Verdict look_at(std::string_view topic);
  // Valid until the next look_at.
  [[nodiscard]] const std::string& seek_key() const { return seek_key_; }

 private:
  Verdict skip_to(std::string_view prefix, std::string_view level);
  Verdict skip_below(std::string_view prefix);

  std::vector<std::string_view> levels_;
  std::string_view first_key_;
  std::string seek_key_;
};

}  // namespace nightjar::broker
