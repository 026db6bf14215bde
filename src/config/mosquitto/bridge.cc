#include "config/mosquitto/bridge.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>

#include "mqtt/topic.h"

namespace nightjar::config::mosquitto {
namespace {

constexpr std::string_view kNothing = R"("")";

Result<std::uint16_t> read_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    return fail(fmt::format("a port is a number from 1 to 65535, not \"{}\"", text));
  }
  return port;
}

std::string prefix_of(std::string_view word) { return word == kNothing ? std::string{} : std::string{word}; }

bool has_wildcard(std::string_view text) { return text.find_first_of("+#") != std::string_view::npos; }

Result<void> check(const BridgeTopic& topic) {
  if (topic.pattern.empty() && (topic.local_prefix.empty() || topic.remote_prefix.empty())) {
    return fail("an empty pattern needs a local and a remote prefix");
  }
  if (has_wildcard(topic.local_prefix) || has_wildcard(topic.remote_prefix)) {
    return fail("a prefix must not contain + or #");
  }
  for (const std::string& prefix : {topic.local_prefix, topic.remote_prefix}) {
    const std::string filter = prefix + topic.pattern;
    if (!mqtt::is_valid_topic_filter(filter)) {
      return fail(fmt::format("\"{}\" is not a topic filter", filter));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<BridgeAddress>> read_bridge_addresses(std::string_view value) {
  std::vector<BridgeAddress> addresses;
  for (std::string_view word = take_word(value); !word.empty(); word = take_word(value)) {
    const bool is_bare_port = !addresses.empty() && word.find_first_not_of("0123456789") == word.npos;
    if (is_bare_port) {
      NJ_TRY(addresses.back().port, read_port(word));
      continue;
    }
    const std::size_t colon = word.rfind(':');
    BridgeAddress address{.host = std::string{word.substr(0, colon)}};
    if (colon != std::string_view::npos) {
      NJ_TRY(address.port, read_port(word.substr(colon + 1)));
    }
    if (address.host.empty()) return fail(fmt::format("\"{}\" names no host", word));
    addresses.push_back(std::move(address));
  }
  return addresses;
}

Result<BridgeTopic> read_bridge_topic(std::string_view value) {
  BridgeTopic topic;
  topic.pattern = prefix_of(take_word(value));
  if (const std::string_view word = take_word(value); !word.empty()) {
    if (word == "in") {
      topic.direction = BridgeDirection::kIn;
    } else if (word == "both") {
      topic.direction = BridgeDirection::kBoth;
    } else if (word != "out") {
      return fail(fmt::format("the direction is \"in\", \"out\" or \"both\", not \"{}\"", word));
    }
  }
  if (const std::string_view word = take_word(value); !word.empty()) {
    if (word != "0" && word != "1" && word != "2") {
      return fail(fmt::format("the QoS is 0, 1 or 2, not \"{}\"", word));
    }
    topic.qos = static_cast<mqtt::Qos>(word.front() - '0');
  }
  topic.local_prefix = prefix_of(take_word(value));
  topic.remote_prefix = prefix_of(take_word(value));
  NJ_CHECK(check(topic));
  return topic;
}

}  // namespace nightjar::config::mosquitto
