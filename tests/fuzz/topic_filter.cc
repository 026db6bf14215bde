// Topic filters and names. Input: a filter, a line break, a topic name.
// Validity, matching and the parts of shared subscriptions are compared with a plain reading of section 4.7.
#include <string_view>
#include <vector>

#include "fuzz_input.h"
#include "mqtt/topic.h"

using namespace nightjar;
using namespace nightjar::mqtt;
using nightjar::fuzz::require;

namespace {

using LevelList = std::vector<std::string_view>;

LevelList split(std::string_view text) {
  LevelList levels;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '/') continue;
    levels.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  levels.push_back(text.substr(begin));
  return levels;
}

bool contains(std::string_view text, char c) { return text.find(c) != std::string_view::npos; }

bool is_name_by_definition(std::string_view text) {
  return !text.empty() && text.size() <= 65'535 && !contains(text, '+') && !contains(text, '#') &&
         !contains(text, '\0');
}

bool is_filter_by_definition(std::string_view text) {
  if (text.empty() || text.size() > 65'535 || contains(text, '\0')) return false;
  const LevelList levels = split(text);
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (contains(levels[i], '+') && levels[i] != "+") return false;
    if (contains(levels[i], '#') && (levels[i] != "#" || i + 1 != levels.size())) return false;
  }
  return true;
}

bool matches_from(const LevelList& filter, const LevelList& topic, std::size_t at) {
  if (at == filter.size()) return at == topic.size();
  if (filter[at] == "#") return true;
  if (at == topic.size()) return false;
  return (filter[at] == "+" || filter[at] == topic[at]) && matches_from(filter, topic, at + 1);
}

bool matches_by_definition(std::string_view filter, std::string_view topic) {
  const bool begins_with_wildcard = filter[0] == '+' || filter[0] == '#';
  if (begins_with_wildcard && topic[0] == '$') return false;
  return matches_from(split(filter), split(topic), 0);
}

void check_shared(std::string_view text) {
  const LevelList levels = split(text);
  const bool is_shared_by_definition = levels.size() > 1 && levels[0] == "$share";
  require(is_shared(text) == is_shared_by_definition, "a shared filter is known by its first level");
  SharedFilter parts;
  const bool is_valid = parse_shared(text, parts);
  if (!is_shared_by_definition || levels.size() < 3) {
    require(!is_valid, "a shared filter has a share name and a filter");
    return;
  }
  const std::string_view filter = text.substr(levels[0].size() + levels[1].size() + 2);
  require(is_valid ==
              (is_name_by_definition(levels[1]) && is_filter_by_definition(filter) && text.size() <= 65'535),
          "a shared filter is as valid as its parts");
  if (is_valid)
    require(parts.share_name == levels[1] && parts.filter == filter, "a shared filter keeps its parts");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const std::size_t line_break = text.find('\n');
  const std::string_view filter = text.substr(0, line_break);
  const std::string_view topic =
      line_break == std::string_view::npos ? std::string_view{} : text.substr(line_break + 1);

  require(is_valid_topic_filter(filter) == is_filter_by_definition(filter),
          "a filter is valid by section 4.7.1");
  require(is_valid_topic_name(topic) == is_name_by_definition(topic), "a name is valid by section 4.7.3");
  require(level_count(filter) == split(filter).size(), "the levels are counted");
  require(has_wildcard(filter) == (contains(filter, '+') || contains(filter, '#')), "wildcards are found");
  check_shared(filter);
  if (is_valid_topic_filter(filter) && is_valid_topic_name(topic)) {
    require(matches(filter, topic) == matches_by_definition(filter, topic), "a match follows section 4.7");
  }
  return 0;
}
