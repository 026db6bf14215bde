// Looks at the first bytes of a connection to a TLS port, before anything of OpenSSL exists for it: whether a
// whole ClientHello is there, and what else it is if not. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace nightjar::net {

// A ClientHello is some 300 to 2000 bytes, with a session ticket and post-quantum keys; one record may hold
// 16 KiB.
inline constexpr std::size_t kHelloBytesMax = 20 * 1024;

enum class HelloBytes : std::uint8_t {
  kPartial,  // a ClientHello so far
  kHello,    // a whole one, with what follows it
  kMqtt,     // CONNECT in plain text
  kHttp,
  kOldSsl,     // SSL 2.0, or 3.0 in its form
  kBrokenTls,  // a TLS record that no ClientHello begins with, or that is too long
  kUnknown
};

HelloBytes look_at_hello(ByteView bytes);

}  // namespace nightjar::net
