// A client's end of TLS on a connected, non-blocking socket, for the command line tools. read() and write()
// behave as recv(2) and send(2) do. Used by one thread; SIGPIPE must be ignored.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/openssl_ptr.h"
#include "net/tls_client_context.h"

namespace nightjar::net {

class TlsClient {
 public:
  // Waits for the handshake, but not longer than `patience`. The socket outlives this.
  static Result<std::unique_ptr<TlsClient>> connect(int socket, const TlsClientSettings& settings,
                                                    Duration patience);

  // Bytes read, 0 at the end, -1 with errno: EAGAIN if the socket must become readable first.
  ssize_t read(std::span<std::byte> into);
  // Decrypted bytes wait here that poll(2) does not know about.
  [[nodiscard]] bool has_pending() const { return SSL_pending(ssl_.get()) > 0; }
  ssize_t write(ByteView bytes);
  // Says that nothing more is sent.
  void close_notify();

  // "TLSv1.3".
  [[nodiscard]] std::string_view version() const { return SSL_get_version(ssl_.get()); }
  // What the server showed: its certificate first.
  [[nodiscard]] std::vector<CertificatePtr> server_chain() const;

 private:
  TlsClient(std::shared_ptr<const TlsClientContext> context, SslPtr ssl)
      : context_(std::move(context)), ssl_(std::move(ssl)) {}
  Result<void> shake_hands(int socket, Duration patience);
  ssize_t as_socket(int result);

  std::shared_ptr<const TlsClientContext> context_;
  SslPtr ssl_;
};

}  // namespace nightjar::net
