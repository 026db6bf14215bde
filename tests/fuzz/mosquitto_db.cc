// A mosquitto.db. Whatever it says, all that is read lies within it, or the error has a place.
#include <string_view>

#include "config/mosquitto/persistence.h"
#include "fuzz_input.h"

using namespace nightjar;
using nightjar::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const auto is_within = [&](std::string_view text) {
    return text.empty() || (text.data() >= input.data() && text.data() + text.size() <= input.data() + size);
  };
  const auto read = config::mosquitto::read_persistence(input, "m.db");
  if (!read) {
    require(read.error().message.starts_with("m.db: at byte "), "an error has a place");
    return 0;
  }
  for (const auto& each : read->messages) {
    require(is_within(each.topic) && is_within(each.payload) && is_within(each.properties), "messages");
    require(each.qos <= 2, "a QoS");
  }
  for (const auto& each : read->clients) require(is_within(each.id) && is_within(each.user_name), "clients");
  for (const auto& each : read->client_messages) require(is_within(each.client_id), "messages of clients");
  for (const auto& each : read->subscriptions) require(is_within(each.filter), "subscriptions");
  return 0;
}
