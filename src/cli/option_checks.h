// What the options of the command line tools may hold: MQTT's own rules, told as the user should hear them.
// No locks; only the read functions do I/O.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "cli/exit_code.h"
#include "cli/message.h"
#include "cli/settings.h"

namespace nightjar::cli {

// Strings and will payloads carry a length of two bytes [MQTT-1.5.4-1].
inline constexpr std::size_t kStringBytesMax = 65'535;

tl::unexpected<Failure> usage(std::string message);

// `what` names the value in the error: "the client id".
Outcome<bool> check_string(std::string_view what, std::string_view text);
Outcome<bool> check_topic(std::string_view what, std::string_view topic);
// Also shared ones, "$share/NAME/FILTER".
Outcome<bool> check_filter(std::string_view filter);
Outcome<bool> check_properties(const MessageProperties& properties);

// "3.1", "3.1.1", "5" and what other tools call them: 31, 311, 5.0, mqttv31, mqttv311, mqttv5.
Outcome<mqtt::Version> parse_version(std::string_view typed);

// "NAME=VALUE"; the value may hold further equals signs.
Outcome<std::vector<NamedValue>> parse_user_properties(const std::vector<std::string>& pairs);
// "mqtt://USER:PASSWORD@HOST:PORT" with %XX escapes; what is absent keeps its value in `connection`.
Outcome<bool> apply_url(std::string_view url, ConnectionSettings& connection);

Outcome<std::string> read_file(const std::string& path);
Outcome<std::string> read_all(std::istream& in, std::string_view name);

}  // namespace nightjar::cli
