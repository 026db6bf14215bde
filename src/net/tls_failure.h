// Why a handshake failed, in words that say which end has to be changed.
#pragma once

#include <string>

#include "net/openssl_ptr.h"
#include "net/tls_snapshot.h"

namespace nightjar::net {

// Right after the failure, on the same thread.
std::string explain_failure(const SSL* ssl, const TlsHandshake* handshake);

}  // namespace nightjar::net
