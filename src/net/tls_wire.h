// What OpenSSL sees of the network where there is no socket: bytes that came, and a buffer for those that
// shall go. Belongs to the one connection that it is made for.
#pragma once

#include "base/bytes.h"
#include "net/openssl_ptr.h"

namespace nightjar::net {

struct TlsWire {
  ByteView in;
  ByteBuffer out;
};

// Lets `ssl` read from and write to `wire`, which outlives it. False: there is no memory.
[[nodiscard]] bool set_wire(SSL* ssl, TlsWire& wire);

}  // namespace nightjar::net
