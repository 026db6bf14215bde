#include "net/tls_client_stream.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include "net/tls_files.h"

namespace nightjar::net {

TlsClientStream::TlsClientStream(std::shared_ptr<const TlsClientContext> context, SSL_SESSION* ticket)
    : context_(std::move(context)), ssl_(context_->connection()) {
  if (!ssl_ || !set_wire(ssl_.get(), wire_)) {
    ssl_.reset();
    return;
  }
  // All of what is to be sent goes at once: the buffer takes everything.
  SSL_clear_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE);
  SSL_set_app_data(ssl_.get(), &ticket_);
  if (ticket != nullptr) SSL_set_session(ssl_.get(), ticket);
}

TlsClientStream::~TlsClientStream() = default;

void TlsClientStream::begin(ByteBuffer& out) {
  wire_.out.swap(out);
  static_cast<void>(shake_hands());
  wire_.out.swap(out);
}

// False while more has to come from the server.
Result<bool> TlsClientStream::shake_hands() {
  if (!ssl_) return fail("no memory for TLS");
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return is_open_ = true;
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ) return false;
  return fail(context_->explain(ssl_.get(), error));
}

Result<std::size_t> TlsClientStream::receive(ByteView wire, std::byte* into, ByteBuffer& out) {
  wire_.in = wire;
  wire_.out.swap(out);
  auto done = read(into);
  wire_.out.swap(out);
  wire_.in = {};
  return done;
}

Result<std::size_t> TlsClientStream::read(std::byte* into) {
  if (!is_open_) {
    NJ_TRY(const bool is_open, shake_hands());
    if (!is_open) return std::size_t{0};
  }
  constexpr std::size_t kAtOnce = 16 * 1024;
  std::size_t all = 0;
  ERR_clear_error();
  while (!wire_.in.empty() || SSL_has_pending(ssl_.get()) == 1) {
    std::size_t count = 0;
    if (SSL_read_ex(ssl_.get(), into + all, kAtOnce, &count) == 1) {
      all += count;
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), 0);
    // The end that the server announces is seen at the socket, too.
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_ZERO_RETURN) break;
    return fail(fmt::format("TLS failed: {}", openssl_reason()));
  }
  return all;
}

void TlsClientStream::send(ByteView plain, ByteBuffer& out) {
  if (plain.empty()) return;
  wire_.out.swap(out);
  ERR_clear_error();
  std::size_t count = 0;
  // A failure means that the server has been told the end: the socket shows it.
  static_cast<void>(SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &count));
  wire_.out.swap(out);
}

SslSessionPtr TlsClientStream::take_ticket() {
  // OpenSSL takes a connection that goes without a farewell for one whose session cannot be resumed.
  SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  return std::move(ticket_);
}

std::string TlsClientStream::suite() const {
  return fmt::format("{} {}", SSL_get_version(ssl_.get()), SSL_get_cipher_name(ssl_.get()));
}

}  // namespace nightjar::net
