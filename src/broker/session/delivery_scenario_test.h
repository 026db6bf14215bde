// Words that the tests of delivery share: small queues, a subscriber that keeps its session, what it gets
// when it is back.
#pragma once

#include <string>
#include <vector>

#include "tests/support/scenario.h"

namespace nightjar::testing {

inline Client subscriber_of(World& world, const std::string& id, mqtt::Qos qos, ConnectOptions options = {}) {
  if (options.version == mqtt::Version::k5 && !options.session_expiry_s) options.session_expiry_s = 1000;
  Client client = joined(world, id, options);
  client.subscribe("a", qos);
  client.subscribe("b/#", qos);
  client.run();
  return client;
}

inline std::string expiry(std::uint32_t seconds) {
  ByteBuffer properties;
  mqtt::PropertyWriter{properties}.u32(mqtt::PropertyId::kMessageExpiryInterval, seconds);
  return std::string{as_text(properties.view())};
}

inline WorldOptions with_queue(broker::OverflowPolicy policy) {
  return {.workers = 3, .listener = {.queue = {.messages_max = 3, .overflow = policy}}};
}

inline std::vector<std::string> after_return(Client& client) {
  client.received.clear();
  client.auto_acknowledge = true;
  client.connect({.clean_start = false, .session_expiry_s = 1000});
  client.run();
  return payloads(client);
}

}  // namespace nightjar::testing
