#include "config/mosquitto/lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace nightjar::config::mosquitto {
namespace {

// Editors of Windows put it at the front.
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

std::string Place::text() const { return fmt::format("{}:{}", file, line); }

std::string_view take_word(std::string_view& value, std::string_view separators) {
  value.remove_prefix(std::min(value.find_first_not_of(separators), value.size()));
  const std::string_view word = value.substr(0, value.find_first_of(separators));
  value.remove_prefix(word.size());
  return word;
}

std::vector<Line> split_lines(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<Line> lines;
  std::uint32_t number = 0;
  while (!text.empty()) {
    ++number;
    std::string_view rest = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(rest.size() + 1, text.size()));
    if (rest.starts_with('#')) continue;
    while (rest.ends_with('\r')) rest.remove_suffix(1);
    // Only a space ends the name: what a tab follows is part of it, and unknown.
    const std::string_view name = take_word(rest);
    if (!name.empty()) lines.push_back({number, name, trimmed(rest)});
  }
  return lines;
}

bool is_included_before(std::string_view a, std::string_view b) {
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end(),
                                          [](char x, char y) { return lower(x) == lower(y); });
  if (in_a != a.end() && in_b != b.end()) return lower(*in_a) < lower(*in_b);
  if (a.size() != b.size()) return a.size() < b.size();
  return a < b;
}

}  // namespace nightjar::config::mosquitto
