// A client's end of TLS without a socket: bytes of the network in, plain bytes out, and the other way round.
// For a tool with thousands of connections in one thread. Between calls it holds no buffer.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "net/openssl_ptr.h"
#include "net/tls_client_context.h"
#include "net/tls_wire.h"

namespace nightjar::net {

class TlsClientStream {
 public:
  // The plain bytes of a record that has come in parts: what receive() may return beyond what it is given.
  static constexpr std::size_t kHeldBytesMax = 16 * 1024;

  // `ticket` resumes the session that it comes from, if the server agrees; null: a full handshake.
  TlsClientStream(std::shared_ptr<const TlsClientContext> context, SSL_SESSION* ticket);
  ~TlsClientStream();
  TlsClientStream(const TlsClientStream&) = delete;
  TlsClientStream& operator=(const TlsClientStream&) = delete;

  // Puts what is to be sent first behind `out`.
  void begin(ByteBuffer& out);
  // Takes bytes that came, puts answers behind `out` and plain bytes at `into`, which has room for as many,
  // and kHeldBytesMax. Returns how many they are. An error ends the connection.
  Result<std::size_t> receive(ByteView wire, std::byte* into, ByteBuffer& out);
  // The handshake is done.
  [[nodiscard]] bool is_open() const { return is_open_; }
  // Puts the records that carry `plain` behind `out`. Only when open.
  void send(ByteView plain, ByteBuffer& out);

  [[nodiscard]] bool is_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  // "TLSv1.3 TLS_AES_256_GCM_SHA384".
  [[nodiscard]] std::string suite() const;
  // The newest that the server sent, for the next connection; null if it has sent none. Ends this one.
  [[nodiscard]] SslSessionPtr take_ticket();

 private:
  Result<bool> shake_hands();
  Result<std::size_t> read(std::byte* into);

  std::shared_ptr<const TlsClientContext> context_;
  TlsWire wire_;
  SslSessionPtr ticket_;
  SslPtr ssl_;
  bool is_open_ = false;
};

}  // namespace nightjar::net
