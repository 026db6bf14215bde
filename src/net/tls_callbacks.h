// What OpenSSL asks during a handshake: which certificate for a name, which protocol, which pre-shared key,
// whether an authority is good. The answers come from the TlsHandshake of the connection; called on its
// worker.
#pragma once

#include <cstdint>

#include "net/openssl_ptr.h"

namespace nightjar::net {

enum class WithPsk : std::uint8_t { kNo, kYes };

void install_callbacks(SSL_CTX* context, WithPsk with_psk);

// For SSL_CTX_set_verify: looks for the authorities of a client on the revocation lists. OpenSSL by itself
// looks for the client's own certificate alone, or else wants a list of every authority.
int judge_authority(int is_good, X509_STORE_CTX* check);

}  // namespace nightjar::net
