// Sizes and durations as people write them: "16MiB", "5s", "7d". Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nightjar::config {

// Bytes. Units: B, KiB, MiB, GiB, TiB, and kB, MB, GB, TB in thousands. None: bytes.
std::optional<std::int64_t> parse_size(std::string_view text);
// Milliseconds. Units: ms, s, m, h, d, w. Only 0 needs none.
std::optional<std::int64_t> parse_duration(std::string_view text);

// The shortest form that the functions above read back.
std::string format_size(std::int64_t bytes);
std::string format_duration(std::int64_t ms);

}  // namespace nightjar::config
