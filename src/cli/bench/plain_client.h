// A blocking MQTT 3.1.1 client for what a measurement needs besides its load. One thread.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "cli/bench/options.h"
#include "net/fd.h"

namespace nightjar::cli::bench {

class PlainClient {
 public:
  PlainClient() = default;
  // A clean session. The options say where and as whom.
  static Result<PlainClient> connect(const BenchOptions& options, const std::string& id);

  [[nodiscard]] int socket() const { return socket_.get(); }
  Result<bool> subscribe(const std::string& filter);
  Result<bool> send(ByteView packets);
  // Everything that was sent is with the broker: it answered a PINGREQ. Only without a subscription.
  Result<bool> wait_until_taken();

 private:
  explicit PlainClient(net::Fd socket) : socket_(std::move(socket)) {}
  Result<bool> expect(std::size_t bytes, const char* what);

  net::Fd socket_;
};

}  // namespace nightjar::cli::bench
