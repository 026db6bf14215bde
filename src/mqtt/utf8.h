// UTF-8 as MQTT wants it (section 1.5.4 of 5.0, 1.5.3 of 3.1.1). Pure.
#pragma once

#include <string_view>

namespace nightjar::mqtt {

// True for well-formed UTF-8 without U+0000 and without surrogates [MQTT-1.5.4-1], [MQTT-1.5.4-2].
// U+FEFF is kept as it is [MQTT-1.5.4-3]; control characters and non-characters are allowed.
bool is_valid_utf8(std::string_view text);

}  // namespace nightjar::mqtt
