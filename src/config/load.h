// Reads nightjar.toml. Every problem is found in one go, and each names its place, the key and what would be
// right.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace nightjar::config {

// "nightjar.toml:14:3: unknown key ..."; in the order of the file.
using Problems = std::vector<std::string>;

Result<std::string, Problems> read_file(const std::string& path);
Result<Config, Problems> load_file(const std::string& path);
// `name` stands for the file in messages.
Result<Config, Problems> load_text(std::string_view text, std::string_view name);

// How a message about a value begins that turned out wrong later: `nightjar.toml:7:15: "destination" in
// [log]: `. Speaks of the whole table if that does not set the key; empty if no file says either.
std::string said_at(const Config& config, const std::string& label, const std::string& key);

}  // namespace nightjar::config
