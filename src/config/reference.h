// docs/configuration.md and the answers of --explain, written from the schema so that they cannot differ from
// what the broker reads. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace nightjar::config {

std::string reference();

// What one key is, for a terminal. `key` is "limits.max_packet_size", or "max_packet_size" for every table
// that has one. Fails with the nearest key.
Result<std::string> explain(std::string_view key);

}  // namespace nightjar::config
