// Writes a configuration as nightjar.toml says it: only what differs from the defaults, each key with its
// meaning. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace nightjar::config {

// `header`: comment lines in front, without "# ".
std::string write_toml(Config config, std::string_view header);

// What `config` says that no key of nightjar.toml can say; one line each.
std::vector<std::string> unsayable(const Config& config);

}  // namespace nightjar::config
