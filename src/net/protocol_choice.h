// The first bytes of a connection, and what they tell about its protocol. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace nightjar::net {

enum class FirstBytes : std::uint8_t {
  kNeedMore,
  kMqtt,   // CONNECT
  kTls,    // a handshake record
  kHttp,   // a GET request, as WebSocket begins
  kProxy,  // the header of a load balancer
  kOther
};

inline constexpr std::size_t kFirstBytesMax = 4;

// Never kNeedMore for kFirstBytesMax bytes.
FirstBytes recognize(ByteView first);

}  // namespace nightjar::net
