// Base64 of RFC 4648 with padding, as Mosquitto's password files use it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nightjar::auth {

std::string to_base64(std::string_view bytes);
// Nothing unless `text` is exactly what to_base64 makes of some bytes.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace nightjar::auth
