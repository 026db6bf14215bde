// What a key takes and holds, in words and as the file would say it. Pure.
#pragma once

#include <string>

#include "config/language.h"
#include "config/schema.h"

namespace nightjar::config {

// What the file must say: "a size from 1KiB to 256MiB".
std::string describe(const Shape& shape, Language language = Language::kEnglish);
// A value as the file would say it, with quotes where they belong.
std::string to_toml(const Shape& shape, const Value& value);
// A value that the key may have and that is not the default, as the file would say it.
std::string example_of(const Slot& slot);

}  // namespace nightjar::config
