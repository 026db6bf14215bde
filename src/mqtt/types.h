// The words of the MQTT standards: packet types, versions, QoS, packet ids. Pure values.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.h"

namespace nightjar::mqtt {

// The protocol level of CONNECT [MQTT-3.1.2-2].
enum class Version : std::uint8_t { k31 = 3, k311 = 4, k5 = 5 };

enum class Qos : std::uint8_t { kAtMostOnce = 0, kAtLeastOnce = 1, kExactlyOnce = 2 };

// Which side of a connection sent a packet.
enum class Sender : std::uint8_t { kClient, kServer };

enum class PacketType : std::uint8_t {
  kReserved = 0,
  kConnect = 1,
  kConnack = 2,
  kPublish = 3,
  kPuback = 4,
  kPubrec = 5,
  kPubrel = 6,
  kPubcomp = 7,
  kSubscribe = 8,
  kSuback = 9,
  kUnsubscribe = 10,
  kUnsuback = 11,
  kPingreq = 12,
  kPingresp = 13,
  kDisconnect = 14,
  kAuth = 15,
};

// "PUBLISH", "CONNECT", … for logs and tests.
std::string_view to_string(PacketType type);

// A packet identifier; 0 is never valid on the wire [MQTT-2.2.1-3].
using PacketId = Id<struct PacketIdTag, std::uint16_t>;

// The largest Remaining Length that the variable byte integer can state.
inline constexpr std::uint32_t kRemainingLengthMax = 268'435'455;
// What a peer that states no Receive Maximum accepts (section 3.1.2.11.3).
inline constexpr std::uint16_t kReceiveMaximumDefault = 65'535;

}  // namespace nightjar::mqtt
