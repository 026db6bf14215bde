// docs/configuration.md, docs/configuration.zh.md and the answers of --explain, written from the schema so
// that they cannot differ from what the broker reads. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/language.h"

namespace nightjar::config {

std::string reference(Language language);

// What the reference says beside the schema, as translations are looked up.
std::span<const std::string_view> words_of_reference();

// What one key is, for a terminal. `key` is "limits.max_packet_size", or "max_packet_size" for every table
// that has one. Fails with the nearest key.
Result<std::string> explain(std::string_view key, Language language);

}  // namespace nightjar::config
