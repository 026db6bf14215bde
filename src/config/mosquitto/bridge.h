// A `connection` of a mosquitto.conf: another broker that messages are exchanged with. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/mosquitto/lines.h"
#include "mqtt/types.h"

namespace nightjar::config::mosquitto {

struct BridgeAddress {
  std::string host;
  std::uint16_t port = 1883;
};

enum class BridgeDirection : std::uint8_t { kOut, kIn, kBoth };

struct BridgeTopic {
  std::string pattern;  // may be empty if both prefixes are not
  BridgeDirection direction = BridgeDirection::kOut;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  std::string local_prefix;
  std::string remote_prefix;
};

struct Bridge {
  Place place;
  std::string name;
  std::vector<BridgeAddress> addresses;
  std::vector<BridgeTopic> topics;
};

// "host", "host:port", "host port" are one address each; several stand with spaces between them.
Result<std::vector<BridgeAddress>> read_bridge_addresses(std::string_view value);
// PATTERN [out|in|both [QOS [LOCAL-PREFIX [REMOTE-PREFIX]]]], where "" stands for nothing.
Result<BridgeTopic> read_bridge_topic(std::string_view value);

}  // namespace nightjar::config::mosquitto
