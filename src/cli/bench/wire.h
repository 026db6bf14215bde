// How a client's packets lie on its socket: in WebSocket frames, in TLS, or in both. Knows no socket. Belongs
// to one connection; one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "cli/bench/options.h"
#include "cli/websocket_client.h"
#include "net/tls_client_stream.h"

namespace nightjar::cli::bench {

// What the wires of all clients have in common.
struct WireSettings {
  bool uses_websocket = false;
  std::string authority;                             // of WebSocket's handshake
  std::string subprotocol;                           // likewise
  std::shared_ptr<const net::TlsClientContext> tls;  // null: without TLS

  // Packets lie on the socket as they are, and there is no wire.
  [[nodiscard]] bool is_plain() const { return !uses_websocket && tls == nullptr; }
};

// Reads the files that the options name.
Result<WireSettings> make_wire_settings(const BenchOptions& options);

class Wire {
 public:
  // Beyond what is received this much may come out.
  static constexpr std::size_t kHeldBytesMax = net::TlsClientStream::kHeldBytesMax;

  // `ticket` resumes a session of TLS; null: a full handshake.
  Wire(const WireSettings& settings, SSL_SESSION* ticket);

  // Puts what is to be sent first behind `out`.
  void begin(ByteBuffer& out);
  // All handshakes are done, and packets may be sent.
  [[nodiscard]] bool is_open() const;
  // Takes `count` bytes that came, at `bytes`, and leaves those of MQTT at `into`, which is `bytes` itself
  // without TLS, and else has room for as many and kHeldBytesMax. Returns how many they are. What is to be
  // sent goes behind `out`. An error ends the connection.
  Result<std::size_t> receive(std::byte* bytes, std::size_t count, std::byte* into, ByteBuffer& out);
  // Puts packets behind `out`, as most clients do: each in a frame of its own, where there are frames.
  void send(ByteView packets, ByteBuffer& out);

  // Null without TLS.
  [[nodiscard]] net::TlsClientStream* tls() const { return tls_.get(); }

 private:
  void send_frames(ByteView packets, ByteBuffer& out);

  std::unique_ptr<net::TlsClientStream> tls_;
  std::optional<WebSocketClient> websocket_;
  bool has_requested_ = false;  // of WebSocket's handshake
};

}  // namespace nightjar::cli::bench
