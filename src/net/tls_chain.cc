#include "net/tls_chain.h"

#include <algorithm>
#include <utility>

#include "net/tls_certificate.h"

namespace nightjar::net {
namespace {

// Of the chain that was found good: the client's own stands first, the root last.
std::vector<broker::CertificateNumber> between(const STACK_OF(X509) * chain) {
  std::vector<broker::CertificateNumber> authorities;
  for (int i = 1; i + 1 < sk_X509_num(chain); ++i) authorities.push_back(number_of(sk_X509_value(chain, i)));
  return authorities;
}

// The session of a resumed connection has the text already.
int note_in_ticket(SSL* ssl, void* /*unused*/) {
  const STACK_OF(X509)* const chain = SSL_get0_verified_chain(ssl);
  if (chain == nullptr) return 1;
  const std::string text = ticket_text(between(chain));
  return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), text.data(), text.size());
}

}  // namespace

std::vector<broker::CertificateNumber> authorities_of(const SSL* ssl) {
  if (SSL_session_reused(ssl) != 1) {
    const STACK_OF(X509)* const chain = SSL_get0_verified_chain(ssl);
    return chain != nullptr ? between(chain) : std::vector<broker::CertificateNumber>{};
  }
  void* data = nullptr;
  std::size_t size = 0;
  if (SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &data, &size) != 1 || size == 0) return {};
  return read_ticket_text({static_cast<const char*>(data), size});
}

void note_authorities_in_tickets(SSL_CTX* context) {
  SSL_CTX_set_session_ticket_cb(context, note_in_ticket, nullptr, nullptr);
}

// A line for each: its number, then its issuer, in whose text control characters are escaped.
std::string ticket_text(const std::vector<broker::CertificateNumber>& authorities) {
  std::string text;
  for (const auto& [issuer, serial] : authorities) text += serial + ' ' + issuer + '\n';
  return text;
}

std::vector<broker::CertificateNumber> read_ticket_text(std::string_view text) {
  std::vector<broker::CertificateNumber> authorities;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t blank = text.find(' ');
    if (end == std::string_view::npos || blank > end) return {};
    authorities.push_back({.issuer = std::string(text.substr(blank + 1, end - blank - 1)),
                           .serial = std::string(text.substr(0, blank))});
    text.remove_prefix(end + 1);
  }
  return authorities;
}

}  // namespace nightjar::net
