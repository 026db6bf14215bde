// What OpenSSL asks during a handshake: which certificate for a name, which protocol, which pre-shared key.
// The answers come from the TlsHandshake of the connection; called on its worker.
#pragma once

#include <cstdint>

#include "net/openssl_ptr.h"

namespace nightjar::net {

enum class WithPsk : std::uint8_t { kNo, kYes };

void install_callbacks(SSL_CTX* context, WithPsk with_psk);

}  // namespace nightjar::net
