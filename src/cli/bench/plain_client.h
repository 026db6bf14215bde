// A blocking MQTT 3.1.1 client for what a measurement needs besides its load. One thread.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "cli/bench/options.h"
#include "cli/bench/wire.h"
#include "net/fd.h"

namespace nightjar::cli::bench {

class PlainClient {
 public:
  PlainClient() = default;
  // A clean session. The options say where, over what and as whom.
  static Result<PlainClient> connect(const BenchOptions& options, const std::string& id);

  Result<bool> subscribe(const std::string& filter);
  Result<bool> send(ByteView packets);
  // Everything that was sent is with the broker: it answered a PINGREQ. Only without a subscription.
  Result<bool> wait_until_taken();

  // Without waiting: takes what has come and says how many bytes of MQTT it was.
  std::size_t discard_input();
  // Without waiting: sends `packets` and what was left the last time, as far as the kernel takes it. Leaves
  // `packets` alone while there is something left.
  void send_now(ByteBuffer& packets);

 private:
  explicit PlainClient(net::Fd socket) : socket_(std::move(socket)) {}
  Result<bool> open_wire(const BenchOptions& options);
  void wrap(ByteView packets);
  Result<bool> flush();
  // Bytes of MQTT that came, or 0: what came was of the wire's own.
  Result<std::size_t> read_some(const char* what);
  Result<bool> expect(std::size_t bytes, const char* what);

  net::Fd socket_;
  std::unique_ptr<Wire> wire_;  // null: packets go as they are
  ByteBuffer unsent_;           // as it goes to the socket
};

}  // namespace nightjar::cli::bench
