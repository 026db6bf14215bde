// A blocking MQTT client over one TCP socket, with TLS or without, for the command line tools: connects,
// waits for what happens, keeps the connection alive, connects again when asked to. Used by one thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "base/clock.h"
#include "cli/client_protocol.h"
#include "cli/dial.h"
#include "cli/exit_code.h"
#include "cli/settings.h"
#include "cli/websocket_client.h"

namespace nightjar::cli {

// The clock of the tools' waits.
MonoTime now();
// Milliseconds since 1970-01-01 UTC.
std::int64_t wall_ms();

// SIGINT and SIGTERM as a readable descriptor while armed, so that a wait ends with a DISCONNECT instead of a
// will. Unarmed, without a connection, they end the process as usual.
class StopSignal {
 public:
  StopSignal();
  void arm();
  void disarm();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  net::Fd fd_;
};

// Why wait() returned. kSent: everything that waited to be sent is with the kernel now.
enum class Wake : std::uint8_t { kEvent, kInput, kSent, kDeadline, kStopSignal };

class Client {
 public:
  // `notice` gets a sentence for each lost connection and each retry.
  Client(const ConnectionSettings& settings, std::function<void(const std::string&)> notice);

  // Returns once CONNACK is there. With `reconnect` set it retries, with growing pauses, whatever may pass.
  Outcome<Connected> connect(MonoTime deadline);

  // Sends what is to be sent and waits for an event (get it with protocol().next_event), for `input_fd`
  // to become readable (-1: none), for the output to have left, for `deadline` or for a stop
  // signal.
  Outcome<Wake> wait(MonoTime deadline, int input_fd = -1);

  // DISCONNECT, with everything before it delivered to the kernel and the broker's close awaited for a
  // moment.
  void disconnect();

  // DISCONNECT, and then the process ends by the signal that made wait() return kStopSignal.
  void end_by_signal();

  ClientProtocol& protocol() { return protocol_; }
  // Something is not with the kernel yet.
  [[nodiscard]] bool has_unsent() { return !wire_.empty() || !protocol_.output().empty(); }

 private:
  Outcome<Connected> connect_once(MonoTime deadline);
  Outcome<bool> pause(Duration pause, MonoTime deadline);
  Outcome<net::Fd> dial_broker(Duration timeout);
  // What the user calls the broker.
  [[nodiscard]] std::string where() const;
  // What goes to the socket next.
  ByteBuffer& to_send();
  Outcome<bool> start_tls(MonoTime until);
  Outcome<bool> flush();
  Outcome<bool> read_socket();
  Outcome<bool> keep_alive(MonoTime at);
  [[nodiscard]] MonoTime next_keep_alive() const;
  tl::unexpected<Failure> lost(const std::string& why);

  ConnectionSettings settings_;
  std::function<void(const std::string&)> notice_;
  ClientProtocol protocol_;
  StopSignal stop_signal_;
  net::Fd socket_;
  std::unique_ptr<net::TlsClient> tls_;  // on the socket; null without TLS
  std::optional<WebSocketClient> websocket_;
  ByteBuffer wire_;  // output in its frames
  MonoTime last_sent_;
  MonoTime pinged_at_;
  std::minstd_rand chance_;
  std::array<std::byte, 65'536> read_buffer_;
};

}  // namespace nightjar::cli
