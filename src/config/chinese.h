// The Chinese of what the schema and the reference say. A text is looked up by its English, so that one that
// was changed has no translation any more until somebody looks at it again. Pure.
#pragma once

#include <span>
#include <string_view>

#include "config/language.h"

namespace nightjar::config {

struct Translation {
  std::string_view english;
  std::string_view chinese;
};

std::span<const Translation> translations();

// The text itself where there is no translation.
std::string_view in_language(Language language, std::string_view english);

}  // namespace nightjar::config
