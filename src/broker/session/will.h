// A Will Message as CONNECT gave it, kept until it is published or discarded (section 3.1.2.5). Plain data of
// the session that owns it.
#pragma once

#include <cstdint>
#include <string>

#include "mqtt/types.h"

namespace nightjar::broker {

struct Will {
  std::string topic;
  std::string payload;
  std::string properties;  // encoded, those that travel with the message
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool retain = false;
  bool has_expiry = false;
  std::uint32_t expiry_s = 0;  // counted from the moment of publication
  std::uint32_t delay_s = 0;
};

}  // namespace nightjar::broker
