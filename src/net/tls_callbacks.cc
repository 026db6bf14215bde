#include "net/tls_callbacks.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "net/tls_certificate.h"
#include "net/tls_snapshot.h"

namespace nightjar::net {
namespace {

TlsHandshake* handshake_of(SSL* ssl) { return static_cast<TlsHandshake*>(SSL_get_app_data(ssl)); }

int on_server_name(SSL* ssl, int* /*alert*/, void* /*unused*/) {
  const TlsHandshake* handshake = handshake_of(ssl);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (handshake == nullptr || name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_SSL_CTX(ssl, handshake->served->context_for(name));
  return SSL_TLSEXT_ERR_OK;
}

// Names of ALPN, each behind a byte with its length.
class ProtocolNames {
 public:
  ProtocolNames(const unsigned char* data, unsigned size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  // False at the end.
  bool next(std::string_view& name) {
    if (rest_.empty()) return false;
    const std::size_t size = static_cast<unsigned char>(rest_.front());
    if (size >= rest_.size()) return false;
    name = rest_.substr(1, size);
    rest_.remove_prefix(1 + size);
    return true;
  }

 private:
  std::string_view rest_;
};

// "mqtt" is the registered name. A client that offers others only speaks something else [RFC 7301, 3.2].
int on_protocols(SSL* ssl, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                 unsigned offered_size, void* /*unused*/) {
  TlsHandshake* const handshake = handshake_of(ssl);
  if (handshake == nullptr) return SSL_TLSEXT_ERR_NOACK;
  std::string_view name;
  for (ProtocolNames names(offered, offered_size); names.next(name);) {
    if (name != "mqtt" && !(name == "http/1.1" && handshake->served->speaks_websocket())) continue;
    *chosen = reinterpret_cast<const unsigned char*>(name.data());
    *size = static_cast<unsigned char>(name.size());
    return SSL_TLSEXT_ERR_OK;
  }
  for (ProtocolNames names(offered, offered_size); names.next(name);) {
    if (!handshake->refused_protocols.empty()) handshake->refused_protocols += ", ";
    handshake->refused_protocols += name;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

unsigned on_psk(SSL* ssl, const char* identity, unsigned char* key, unsigned key_bytes_max) {
  TlsHandshake* const handshake = handshake_of(ssl);
  if (handshake == nullptr || identity == nullptr) return 0;
  const std::string* const known = handshake->served->psk_of(identity);
  if (known == nullptr || known->size() > key_bytes_max) return 0;
  handshake->psk_identity = identity;
  std::memcpy(key, known->data(), known->size());
  return static_cast<unsigned>(known->size());
}

}  // namespace

int judge_authority(int is_good, X509_STORE_CTX* check) {
  const int depth = X509_STORE_CTX_get_error_depth(check);
  const bool is_between = depth > 0 && depth + 1 < sk_X509_num(X509_STORE_CTX_get0_chain(check));
  if (is_good != 1 || !is_between) return is_good;
  SSL* const ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const TlsHandshake* const handshake = handshake_of(ssl);
  const X509* const authority = X509_STORE_CTX_get_current_cert(check);
  if (handshake == nullptr || !handshake->served->is_revoked(number_of(authority))) return is_good;
  X509_STORE_CTX_set_error(check, X509_V_ERR_CERT_REVOKED);
  return 0;
}

void install_callbacks(SSL_CTX* context, WithPsk with_psk) {
  // OpenSSL's macro for it is an old-style cast.
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                        reinterpret_cast<void (*)()>(on_server_name));
  SSL_CTX_set_alpn_select_cb(context, on_protocols, nullptr);
  if (with_psk == WithPsk::kYes) SSL_CTX_set_psk_server_callback(context, on_psk);
}

}  // namespace nightjar::net
