// The messages that the benchmarks of reader and writer share, in the sizes of a telemetry fleet. One thread.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "mqtt/properties.h"
#include "mqtt/writer.h"

namespace nightjar::bench {

inline constexpr std::string_view kTopic = "fleet/17/dev4711/sensor/temperature";
inline constexpr std::size_t kPayloadBytes = 64;

inline const std::string& payload() {
  static const std::string kText(kPayloadBytes, 'x');
  return kText;
}

// What a request of a 5.0 client carries at most in practice.
inline ByteBuffer request_properties() {
  ByteBuffer encoded;
  mqtt::PropertyWriter writer{encoded};
  writer.u8(mqtt::PropertyId::kPayloadFormatIndicator, 1);
  writer.u32(mqtt::PropertyId::kMessageExpiryInterval, 3600);
  writer.text(mqtt::PropertyId::kContentType, "application/json");
  writer.text(mqtt::PropertyId::kResponseTopic, "response/dev4711");
  writer.binary(mqtt::PropertyId::kCorrelationData, as_bytes("0123456789abcdef"));
  writer.user("unit", "celsius");
  writer.user("trace", "4bf92f3577b34da6a3ce929d0e0e4736");
  return encoded;
}

inline mqtt::PublishOut publish_of(mqtt::Qos qos, ByteView properties) {
  return {.qos = qos,
          .packet_id = {static_cast<std::uint16_t>(qos == mqtt::Qos::kAtMostOnce ? 0 : 4711)},
          .topic = kTopic,
          .properties = properties,
          .payload = as_bytes(payload())};
}

}  // namespace nightjar::bench
