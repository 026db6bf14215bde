#include "mqtt/topic.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mqtt/eight_bytes.h"

namespace nightjar::mqtt {
namespace {

// The length of every string is stated in two bytes [MQTT-4.7.3-3].
constexpr std::size_t kTopicBytesMax = 65'535;
constexpr std::string_view kSharePrefix = "$share/";

bool has_valid_size(std::string_view text) { return !text.empty() && text.size() <= kTopicBytesMax; }

// '#' and '+' differ in this bit alone, so that one comparison finds both.
constexpr std::uint8_t kHashOrPlus = '#' ^ '+';
static_assert(('#' & ~kHashOrPlus) == ('+' & ~kHashOrPlus) && kHashOrPlus == 0x08);

bool is_forbidden_in_name(char c) { return c == '+' || c == '#' || c == '\0'; }

bool is_forbidden_in_name(std::uint64_t eight) {
  const std::uint64_t without_bit = eight & eight_times(static_cast<std::uint8_t>(~kHashOrPlus));
  return has_zero(without_bit ^ eight_times('#')) || has_zero(eight);
}

}  // namespace

bool is_valid_topic_name(std::string_view text) {
  if (!has_valid_size(text)) return false;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    if (is_forbidden_in_name(load_eight(text.data() + i))) return false;
  }
  return std::none_of(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(),
                      [](char c) { return is_forbidden_in_name(c); });
}

bool is_valid_topic_filter(std::string_view text) {
  if (!has_valid_size(text)) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\0') return false;
    if (c != '+' && c != '#') continue;
    const bool begins_level = i == 0 || text[i - 1] == '/';
    const bool is_last = i + 1 == text.size();
    const bool ends_level = is_last || (c == '+' && text[i + 1] == '/');
    if (!begins_level || !ends_level) return false;
  }
  return true;
}

bool has_wildcard(std::string_view filter) { return filter.find_first_of("+#") != std::string_view::npos; }

std::size_t level_count(std::string_view topic) {
  return static_cast<std::size_t>(std::count(topic.begin(), topic.end(), '/')) + 1;
}

bool is_shared(std::string_view filter) { return filter.starts_with(kSharePrefix); }

bool parse_shared(std::string_view text, SharedFilter& out) {
  if (!is_shared(text) || text.size() > kTopicBytesMax) return false;
  text.remove_prefix(kSharePrefix.size());
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const SharedFilter parts{.share_name = text.substr(0, slash), .filter = text.substr(slash + 1)};
  if (!is_valid_topic_name(parts.share_name) || !is_valid_topic_filter(parts.filter)) return false;
  out = parts;
  return true;
}

bool matches(std::string_view filter, std::string_view topic) {
  const bool begins_with_wildcard = filter.starts_with('+') || filter.starts_with('#');
  if (begins_with_wildcard && topic.starts_with('$')) return false;
  Levels wanted{filter};
  Levels given{topic};
  std::string_view want;
  std::string_view have;
  while (wanted.next(want)) {
    // '#' takes the rest, and also none at all: "sport/#" matches "sport" (section 4.7.1.2).
    if (want == "#") return true;
    if (!given.next(have)) return false;
    if (want != "+" && want != have) return false;
  }
  return !given.next(have);
}

}  // namespace nightjar::mqtt
