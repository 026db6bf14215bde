#include "config/suggest.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace nightjar::config {
namespace {

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
std::size_t distance(std::string_view a, std::string_view b) {
  // at(i, j): for the first i letters of `a` and the first j of `b`.
  std::vector<std::size_t> table((a.size() + 1) * (b.size() + 1));
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& { return table[i * (b.size() + 1) + j]; };
  for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, replaced});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
    }
  }
  return table.back();
}

}  // namespace

std::optional<std::string_view> suggest(std::string_view typed, std::span<const std::string_view> known) {
  // A third of the letters wrong is still a typo; more is another word.
  std::size_t best = std::max<std::size_t>(1, typed.size() / 3) + 1;
  std::optional<std::string_view> found;
  for (const std::string_view word : known) {
    if (const std::size_t steps = distance(typed, word); steps < best) {
      best = steps;
      found = word;
    }
  }
  return found;
}

}  // namespace nightjar::config
