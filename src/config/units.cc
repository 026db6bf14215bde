#include "config/units.h"

#include <fmt/format.h>

#include <charconv>
#include <cstddef>
#include <span>

namespace nightjar::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr Unit kSizeUnits[] = {{"TiB", std::int64_t{1} << 40},
                               {"GiB", std::int64_t{1} << 30},
                               {"MiB", std::int64_t{1} << 20},
                               {"KiB", std::int64_t{1} << 10},
                               {"TB", 1'000'000'000'000},
                               {"GB", 1'000'000'000},
                               {"MB", 1'000'000},
                               {"kB", 1'000},
                               {"B", 1}};
constexpr Unit kDurationUnits[] = {{"w", 7 * 86'400'000}, {"d", 86'400'000}, {"h", 3'600'000},
                                   {"m", 60'000},         {"s", 1'000},      {"ms", 1}};

std::optional<std::int64_t> factor_of(std::string_view unit, std::span<const Unit> units) {
  for (const Unit& known : units) {
    if (known.name == unit) return known.factor;
  }
  return std::nullopt;
}

// `bare_factor` is for a number without a unit.
std::optional<std::int64_t> parse(std::string_view text, std::span<const Unit> units,
                                  std::optional<std::int64_t> bare_factor) {
  std::int64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(rest - text.data()));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  const auto factor =
      unit.empty() ? (number == 0 ? std::optional<std::int64_t>{1} : bare_factor) : factor_of(unit, units);
  if (!factor || number > INT64_MAX / *factor) return std::nullopt;
  return number * *factor;
}

std::string format(std::int64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) return fmt::format("{}{}", value / unit.factor, unit.name);
  }
  return fmt::format("{}", value);
}

}  // namespace

std::optional<std::int64_t> parse_size(std::string_view text) { return parse(text, kSizeUnits, 1); }
std::optional<std::int64_t> parse_duration(std::string_view text) {
  return parse(text, kDurationUnits, std::nullopt);
}

std::string format_size(std::int64_t bytes) { return format(bytes, kSizeUnits); }
// Weeks are read but not written: "7d" is plainer.
std::string format_duration(std::int64_t ms) { return format(ms, std::span(kDurationUnits).subspan(1)); }

}  // namespace nightjar::config
