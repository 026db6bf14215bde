// What the network tells the core, as an interface so that sockets can be tested without a broker.
// Called on the worker's thread, inside a turn.
#pragma once

#include <memory>
#include <span>

#include "base/bytes.h"
#include "broker/policy.h"
#include "broker/ports.h"

namespace nightjar::net {

class Handler {
 public:
  virtual ~Handler() = default;
  // A new connection. The handler owns it and attaches it.
  virtual void on_accepted(std::unique_ptr<broker::Transport> transport,
                           const broker::ListenerPolicy& policy) = 0;
  virtual void on_bytes(broker::Connection& owner, ByteView bytes) = 0;
  // Where the rest of a large packet may be received, or nothing; then on_rest says how much of it was.
  virtual std::span<std::byte> room_for_rest(broker::Connection& owner) = 0;
  virtual void on_rest(broker::Connection& owner, std::size_t count) = 0;
  virtual void on_closed(broker::Connection& owner, broker::TransportEnd end) = 0;
  virtual void on_drained(broker::Connection& owner) = 0;
};

}  // namespace nightjar::net
