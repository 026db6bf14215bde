#include "net/tls_client.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <utility>

#include "net/tls_files.h"

namespace nightjar::net {

Result<std::unique_ptr<TlsClient>> TlsClient::connect(int socket, const TlsClientSettings& settings,
                                                      Duration patience) {
  NJ_TRY(auto context, TlsClientContext::open(settings));
  SslPtr ssl = context->connection();
  if (!ssl || SSL_set_fd(ssl.get(), socket) != 1) return fail("TLS failed: " + openssl_reason());
  std::unique_ptr<TlsClient> client(new TlsClient(std::move(context), std::move(ssl)));
  NJ_CHECK(client->shake_hands(socket, patience));
  return client;
}

Result<void> TlsClient::shake_hands(int socket, Duration patience) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::milliseconds(patience.ms);
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(ssl_.get());
    if (result == 1) return {};
    const int error = SSL_get_error(ssl_.get(), result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      return fail(context_->explain(ssl_.get(), error));
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
