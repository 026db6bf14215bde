// A connection over a Unix socket: the kernel says which user is at the other end. Lives like a Connection.
#pragma once

#include <memory>
#include <string>

#include "net/connection.h"

namespace nightjar::net {

class UnixConnection final : public Connection {
 public:
  // `at` is the address that the socket was accepted on.
  UnixConnection(Fd socket, const Address& at, std::unique_ptr<StreamFilter> filter);

  // "unix:/run/nightjar.sock uid 1000", or what a proxy says.
  [[nodiscard]] std::string peer() const override;
  // A filter's proof comes first: it is about the client, not about the process that forwards it.
  [[nodiscard]] const broker::PeerProof* proof() const override;

 private:
  std::string where_;
  broker::PeerProof own_proof_;
};

}  // namespace nightjar::net
