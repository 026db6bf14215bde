// "Did you mean": the known word nearest to a mistyped one. Pure.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace nightjar::config {

// Nothing if no word is near enough to be what was meant.
std::optional<std::string_view> suggest(std::string_view typed, std::span<const std::string_view> known);

}  // namespace nightjar::config
