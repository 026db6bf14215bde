#include "net/tls_client_context.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>

#include "net/tls_authority.h"
#include "net/tls_files.h"

namespace nightjar::net {
namespace {

void name_server(SSL* ssl, const TlsClientSettings& settings) {
  const bool is_ip = is_ip_address(settings.host);
  if (!is_ip) {
    std::string name = settings.host;
    // OpenSSL's macro for it is an old-style cast.
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
  }
  if (!settings.checks_server) return;
  if (is_ip) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), settings.host.c_str());
  } else {
    SSL_set1_host(ssl, settings.host.c_str());
  }
}

// What a connection's owner set as its application data, if it wants tickets.
int keep_ticket(SSL* ssl, SSL_SESSION* session) {
  auto* const ticket = static_cast<SslSessionPtr*>(SSL_get_app_data(ssl));
  if (ticket == nullptr) return 0;
  ticket->reset(session);
  return 1;
}

}  // namespace

Result<std::shared_ptr<const TlsClientContext>> TlsClientContext::open(const TlsClientSettings& settings) {
  std::shared_ptr<TlsClientContext> made(new TlsClientContext(settings));
  made->context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* const context = made->context_.get();
  if (context == nullptr) return fail("OpenSSL gives no context: " + openssl_reason());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  if (settings.keeps_tickets) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_ticket);
  }
  NJ_CHECK(made->trust());
  NJ_CHECK(made->show_certificate());
  return std::shared_ptr<const TlsClientContext>(std::move(made));
}

Result<void> TlsClientContext::trust() const {
  SSL_CTX* const context = context_.get();
  if (!settings_.checks_server) return {};
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (settings_.authorities.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return {};
  }
  NJ_TRY(const auto authorities, read_certificates(settings_.authorities));
  for (const CertificatePtr& authority : authorities) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
  }
  return {};
}

Result<void> TlsClientContext::show_certificate() const {
  SSL_CTX* const context = context_.get();
  if (settings_.certificate.empty()) return {};
  NJ_TRY(const auto chain, read_certificates(settings_.certificate));
  NJ_TRY(const KeyPtr key, read_private_key(settings_.key));
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    ERR_clear_error();
    return fail(fmt::format("the key in {} does not belong to the certificate in {}", settings_.key,
                            settings_.certificate));
  }
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return fail(
        fmt::format("the certificate in {} cannot be used: {}", settings_.certificate, openssl_reason()));
  }
  for (std::size_t i = 1; i < chain.size(); ++i) SSL_CTX_add1_chain_cert(context, chain[i].get());
  return {};
}

SslPtr TlsClientContext::connection() const {
  SslPtr ssl(SSL_new(context_.get()));
  if (!ssl) return ssl;
  const std::string alpn = static_cast<char>(settings_.protocol.size()) + settings_.protocol;
  SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                      static_cast<unsigned>(alpn.size()));
  name_server(ssl.get(), settings_);
  SSL_set_connect_state(ssl.get());
  return ssl;
}

std::string TlsClientContext::explain(const SSL* ssl, int error) const {
  const long verified = SSL_get_verify_result(ssl);
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  if (verified != X509_V_OK && settings_.checks_server) {
    const std::string why = X509_verify_cert_error_string(verified);
    if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH) {
      return fmt::format(
          "its certificate is not for \"{}\"; connect by a name that it has (\"nightjar tls explain\" "
          "lists them)",
          settings_.host);
    }
    if (verified == X509_V_ERR_CERT_HAS_EXPIRED)
      return "its certificate has expired; is this machine's clock right?";
    return fmt::format("its certificate is not trusted: {}; name its authority with --cafile FILE", why);
  }
  if (reason == SSL_R_WRONG_VERSION_NUMBER) {
    return "it does not speak TLS on this port; leave --tls out, or use the TLS port (mostly 8883)";
  }
  if (reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED || reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE) {
    return "it wants a certificate of yours; give --cert FILE --key FILE";
  }
  if (error == SSL_ERROR_SYSCALL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    return "it closed the connection during the TLS handshake; does it speak TLS on this port?";
  }
  return fmt::format("TLS failed: {}", openssl_reason());
}

}  // namespace nightjar::net
