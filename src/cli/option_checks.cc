#include "cli/option_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <istream>
#include <iterator>
#include <utility>

#include "mqtt/topic.h"
#include "mqtt/utf8.h"

namespace nightjar::cli {
namespace {

// False if an escape is not % and two hexadecimal digits.
bool percent_decode(std::string_view text, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const std::string_view digits = text.substr(i + 1, 2);
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) return false;
    out += static_cast<char>(value);
    i += 2;
  }
  return true;
}

Outcome<bool> apply_url_credentials(std::string_view credentials, ConnectionSettings& connection) {
  const std::size_t colon = credentials.find(':');
  std::string user;
  std::string password;
  if (!percent_decode(credentials.substr(0, colon), user) ||
      (colon != std::string_view::npos && !percent_decode(credentials.substr(colon + 1), password))) {
    return usage(
        "the URL has a % that is not followed by two hexadecimal digits; write %25 for a percent sign");
  }
  connection.user_name = std::move(user);
  if (colon != std::string_view::npos) connection.password = std::move(password);
  return true;
}

}  // namespace

tl::unexpected<Failure> usage(std::string message) { return stop(ExitCode::kUsage, std::move(message)); }

Outcome<bool> check_string(std::string_view what, std::string_view text) {
  if (text.size() > kStringBytesMax) {
    return usage(fmt::format("{} has {} bytes; MQTT allows {}", what, text.size(), kStringBytesMax));
  }
  if (!mqtt::is_valid_utf8(text))
    return usage(fmt::format("{} is not valid UTF-8, or holds a zero byte", what));
  return true;
}

Outcome<bool> check_topic(std::string_view what, std::string_view topic) {
  NJ_CHECK(check_string(what, topic));
  if (mqtt::is_valid_topic_name(topic)) return true;
  if (topic.empty()) return usage(fmt::format("{} is empty", what));
  return usage(fmt::format("{} \"{}\" may not hold + or #; only subscriptions have wildcards", what, topic));
}

Outcome<bool> check_filter(std::string_view filter) {
  NJ_CHECK(check_string("the filter", filter));
  if (mqtt::is_shared(filter)) {
    mqtt::SharedFilter shared;
    if (mqtt::parse_shared(filter, shared)) return true;
    return usage(fmt::format(
        "\"{}\" is not a shared subscription; write $share/NAME/FILTER, NAME without / + #", filter));
  }
  if (mqtt::is_valid_topic_filter(filter)) return true;
  return usage(fmt::format(
      "\"{}\" is not a topic filter; + and # stand alone between slashes, and # only at the end", filter));
}

Outcome<mqtt::Version> parse_version(std::string_view typed) {
  constexpr std::string_view kPrefix = "mqttv";
  const std::string_view number = typed.starts_with(kPrefix) ? typed.substr(kPrefix.size()) : typed;
  if (number == "3.1" || number == "31") return mqtt::Version::k31;
  if (number == "3.1.1" || number == "311") return mqtt::Version::k311;
  if (number == "5" || number == "5.0") return mqtt::Version::k5;
  return usage(fmt::format("\"{}\" is not a version of MQTT; --mqtt-version takes 3.1, 3.1.1 or 5", typed));
}

Outcome<std::vector<NamedValue>> parse_user_properties(const std::vector<std::string>& pairs) {
  std::vector<NamedValue> result;
  for (const std::string& pair : pairs) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos) {
      return usage(fmt::format("the user property \"{}\" has no value; write NAME=VALUE", pair));
    }
    result.push_back({pair.substr(0, equals), pair.substr(equals + 1)});
    NJ_CHECK(check_string("the name of a user property", result.back().name));
    NJ_CHECK(check_string("the value of a user property", result.back().value));
  }
  return result;
}

Outcome<bool> check_properties(const MessageProperties& properties) {
  NJ_CHECK(check_string("the content type", properties.content_type.value_or("")));
  if (properties.response_topic) NJ_CHECK(check_topic("the response topic", *properties.response_topic));
  if (properties.correlation_data.value_or("").size() > kStringBytesMax) {
    return usage(fmt::format("the correlation data may have at most {} bytes", kStringBytesMax));
  }
  return true;
}

Outcome<bool> apply_url(std::string_view url, ConnectionSettings& connection) {
  constexpr std::string_view kForm = "mqtt://USER:PASSWORD@HOST:PORT";
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos)
    return usage(fmt::format("\"{}\" is not a URL; write {}", url, kForm));
  const std::string_view scheme = url.substr(0, scheme_end);
  constexpr std::string_view kSchemes[] = {"mqtt", "mqtts", "ws", "wss"};
  if (std::find(std::begin(kSchemes), std::end(kSchemes), scheme) == std::end(kSchemes)) {
    return usage(
        fmt::format("{}:// is not supported, only mqtt:// (plain TCP), mqtts:// (TLS), ws:// and wss:// "
                    "(WebSocket); write {}",
                    scheme, kForm));
  }
  connection.uses_websocket = connection.uses_websocket || scheme.starts_with("ws");
  if (scheme == "mqtts") connection.port = 8883;
  std::string_view rest = url.substr(scheme_end + 3);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    NJ_CHECK(apply_url_credentials(rest.substr(0, at), connection));
    rest.remove_prefix(at + 1);
  }
  std::string_view host = rest;
  std::string_view port;
  const std::size_t bracket = rest.starts_with('[') ? rest.find(']') : 0;
  if (bracket == std::string_view::npos) return usage(fmt::format("the URL \"{}\" lacks a ]", url));
  if (const std::size_t colon = rest.find(':', bracket); colon != std::string_view::npos) {
    host = rest.substr(0, colon);
    port = rest.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), connection.port);
    if (error != std::errc{} || end != port.data() + port.size() || connection.port == 0) {
      return usage(fmt::format("\"{}\" in the URL is not a port; ports are 1 to 65535", port));
    }
  }
  if (bracket != 0) host = host.substr(1, bracket - 1);
  if (host.empty() || host.find('/') != std::string_view::npos) {
    return usage(fmt::format("the URL \"{}\" does not name a host alone; write {}", url, kForm));
  }
  connection.host = host;
  return true;
}

Outcome<std::string> read_all(std::istream& in, std::string_view name) {
  std::string content{std::istreambuf_iterator<char>{in}, {}};
  if (in.bad()) return usage(fmt::format("cannot read {}", name));
  return content;
}

Outcome<std::string> read_file(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  if (!in) return usage(fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  return read_all(in, path);
}

}  // namespace nightjar::cli
