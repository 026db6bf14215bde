// Topic Names and Topic Filters (section 4.7): validation, levels, matching, shared subscriptions. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace nightjar::mqtt {

// A Topic Name is at least one character, at most 65 535 bytes, without '+', '#' and U+0000.
// `text` is already valid UTF-8.
bool is_valid_topic_name(std::string_view text);
// A Topic Filter: '+' and '#' only as whole levels, '#' only last [MQTT-4.7.1-1], [MQTT-4.7.1-2].
bool is_valid_topic_filter(std::string_view text);
// True if the filter holds '+' or '#'.
bool has_wildcard(std::string_view filter);
// Number of levels: separators plus one.
std::size_t level_count(std::string_view topic);

// "$share/NAME/FILTER" cut into its parts [MQTT-4.8.2-1], [MQTT-4.8.2-2].
struct SharedFilter {
  std::string_view share_name{};
  std::string_view filter{};
};
// True if the filter begins with "$share/" (whatever follows).
bool is_shared(std::string_view filter);
// False if the share name is empty or holds '/', '+', '#', or if the filter behind it is missing or invalid.
bool parse_shared(std::string_view text, SharedFilter& out);

// True if a valid filter matches a valid name; a leading wildcard never matches a leading '$' [MQTT-4.7.2-1].
bool matches(std::string_view filter, std::string_view topic);

// Walks the levels of a topic from the front: "a//b" gives "a", "", "b".
class Levels {
 public:
  explicit Levels(std::string_view topic) : rest_(topic) {}
  bool next(std::string_view& level) {
    if (done_) return false;
    const std::size_t slash = rest_.find('/');
    level = rest_.substr(0, slash);
    if (slash == std::string_view::npos) {
      done_ = true;
    } else {
      rest_.remove_prefix(slash + 1);
    }
    return true;
  }

 private:
  std::string_view rest_;
  bool done_ = false;
};

}  // namespace nightjar::mqtt
