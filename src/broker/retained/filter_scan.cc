#include "broker/retained/filter_scan.h"

#include <algorithm>

#include "mqtt/topic.h"

namespace nightjar::broker {
namespace {

// No topic holds U+0000 [MQTT-4.7.3-2], so the separator may take its place.
unsigned rank(char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); }
// The lowest character that does not separate levels: behind a topic it sorts after everything below the
// topic.
constexpr char kBehindAllBelow = '\x01';

}  // namespace

bool TopicOrder::operator()(std::string_view a, std::string_view b) const {
  const auto [at_a, at_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at_b == b.end()) return false;
  return at_a == a.end() || rank(*at_a) < rank(*at_b);
}

FilterScan::FilterScan(std::string_view filter) {
  mqtt::Levels levels(filter);
  for (std::string_view level; levels.next(level);) levels_.push_back(level);
  const auto wildcard = std::find_if(levels_.begin(), levels_.end(),
                                     [](std::string_view level) { return level == "+" || level == "#"; });
  if (wildcard == levels_.begin() || wildcard == levels_.end()) return;
  const std::string_view last = *std::prev(wildcard);
  first_key_ = filter.substr(0, static_cast<std::size_t>(last.data() + last.size() - filter.data()));
}

FilterScan::Verdict FilterScan::look_at(std::string_view topic) {
  const bool begins_with_wildcard = levels_.front() == "+" || levels_.front() == "#";
  if (begins_with_wildcard && topic.front() == '$')
    return skip_to("", "%");  // what follows '$' [MQTT-4.7.2-1]

  mqtt::Levels topic_levels(topic);
  std::string_view level;
  std::string_view above;         // the topic up to the level in hand, separator included
  std::string_view to_last_plus;  // the topic up to the last level that '+' took, without separator
  bool took_plus = false;
  for (const std::string_view wanted : levels_) {
    if (wanted == "#") return {true, Onward::kNext};
    if (!topic_levels.next(level)) {
      seek_key_.assign(topic).push_back('/');
      if (wanted != "+") seek_key_.append(wanted);
      return {false, Onward::kSeek};
    }
    const std::string_view through = topic.substr(0, above.size() + level.size());
    if (wanted == "+") {
      to_last_plus = through;
      took_plus = true;
    } else if (level != wanted) {
      if (TopicOrder{}(level, wanted)) return skip_to(above, wanted);
      return took_plus ? skip_below(to_last_plus) : Verdict{false, Onward::kEnd};
    }
    above = topic.substr(0, std::min(topic.size(), through.size() + 1));
  }
  if (topic_levels.next(level)) return skip_below(above.substr(0, above.size() - 1));
  return {true, Onward::kNext};
}

FilterScan::Verdict FilterScan::skip_to(std::string_view prefix, std::string_view level) {
  seek_key_.assign(prefix).append(level);
  return {false, Onward::kSeek};
}

FilterScan::Verdict FilterScan::skip_below(std::string_view prefix) {
  seek_key_.assign(prefix).push_back(kBehindAllBelow);
  return {false, Onward::kSeek};
}

}  // namespace nightjar::broker
