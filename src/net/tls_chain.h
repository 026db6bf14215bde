// The authorities between a client's certificate and the root that is trusted. A client that resumes a
// session shows no certificates, so its ticket tells them. Called on the worker of the connection.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/ports.h"
#include "net/openssl_ptr.h"

namespace nightjar::net {

// Once the handshake is done and the client's certificate was found good.
std::vector<broker::CertificateNumber> authorities_of(const SSL* ssl);

// Lets the tickets of `context` tell them.
void note_authorities_in_tickets(SSL_CTX* context);

// What a ticket carries, and back. Tickets are encrypted by the listener that reads them, but one of another
// version of this program gives nothing rather than something wrong.
std::string ticket_text(const std::vector<broker::CertificateNumber>& authorities);
std::vector<broker::CertificateNumber> read_ticket_text(std::string_view text);

}  // namespace nightjar::net
