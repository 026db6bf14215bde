#include "net/tls_client.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <utility>

#include "net/tls_authority.h"
#include "net/tls_files.h"

namespace nightjar::net {
namespace {

// As a person needs it who typed the command.
std::string explain(const SSL* ssl, const TlsClientSettings& settings, int error) {
  const long verified = SSL_get_verify_result(ssl);
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  if (verified != X509_V_OK && settings.checks_server) {
    const std::string why = X509_verify_cert_error_string(verified);
    if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH) {
      return fmt::format(
          "its certificate is not for \"{}\"; connect by a name that it has (\"nightjar tls explain\" "
          "lists them)",
          settings.host);
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

Result<void> trust(SSL_CTX* context, const TlsClientSettings& settings) {
  if (!settings.checks_server) return {};
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (settings.authorities.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return {};
  }
  NJ_TRY(const auto authorities, read_certificates(settings.authorities));
  for (const CertificatePtr& authority : authorities) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
  }
  return {};
}

Result<void> show_certificate(SSL_CTX* context, const TlsClientSettings& settings) {
  if (settings.certificate.empty()) return {};
  NJ_TRY(const auto chain, read_certificates(settings.certificate));
  NJ_TRY(const KeyPtr key, read_private_key(settings.key));
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    ERR_clear_error();
    return fail(fmt::format("the key in {} does not belong to the certificate in {}", settings.key,
                            settings.certificate));
  }
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return fail(
        fmt::format("the certificate in {} cannot be used: {}", settings.certificate, openssl_reason()));
  }
  for (std::size_t i = 1; i < chain.size(); ++i) SSL_CTX_add1_chain_cert(context, chain[i].get());
  return {};
}

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

}  // namespace

Result<std::unique_ptr<TlsClient>> TlsClient::connect(int socket, const TlsClientSettings& settings,
                                                      Duration patience) {
  SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (!context) return fail("OpenSSL gives no context: " + openssl_reason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  NJ_CHECK(trust(context.get(), settings));
  NJ_CHECK(show_certificate(context.get(), settings));
  SslPtr ssl(SSL_new(context.get()));
  if (!ssl || SSL_set_fd(ssl.get(), socket) != 1) return fail("TLS failed: " + openssl_reason());
  const std::string alpn = static_cast<char>(settings.protocol.size()) + settings.protocol;
  SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                      static_cast<unsigned>(alpn.size()));
  name_server(ssl.get(), settings);
  std::unique_ptr<TlsClient> client(new TlsClient(std::move(context), std::move(ssl)));
  NJ_CHECK(client->shake_hands(socket, settings, patience));
  return client;
}

Result<void> TlsClient::shake_hands(int socket, const TlsClientSettings& settings, Duration patience) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::milliseconds(patience.ms);
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(ssl_.get());
    if (result == 1) return {};
    const int error = SSL_get_error(ssl_.get(), result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      return fail(explain(ssl_.get(), settings, error));
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return fail("it does not answer the TLS handshake; does it speak TLS on this port?");
    pollfd waits{socket, static_cast<short>(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
    ::poll(&waits, 1, static_cast<int>(left));
  }
}

ssize_t TlsClient::as_socket(int result) {
  if (result > 0) return result;
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  ERR_clear_error();
  if (is_end) return 0;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) errno = EAGAIN;
  if (error == SSL_ERROR_SSL) errno = EPROTO;
  if (error == SSL_ERROR_SYSCALL && errno == 0) errno = ECONNRESET;
  return -1;
}

ssize_t TlsClient::read(std::span<std::byte> into) {
  ERR_clear_error();
  return as_socket(
      SSL_read(ssl_.get(), into.data(), static_cast<int>(std::min<std::size_t>(into.size(), INT_MAX))));
}

ssize_t TlsClient::write(ByteView bytes) {
  ERR_clear_error();
  return as_socket(
      SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX))));
}

void TlsClient::close_notify() {
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

std::vector<CertificatePtr> TlsClient::server_chain() const {
  std::vector<CertificatePtr> chain;
  STACK_OF(X509)* const shown = SSL_get_peer_cert_chain(ssl_.get());
  for (int i = 0; i < sk_X509_num(shown); ++i) {
    X509* const one = sk_X509_value(shown, i);
    X509_up_ref(one);
    chain.emplace_back(one);
  }
  return chain;
}

}  // namespace nightjar::net
