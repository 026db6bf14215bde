// The seam for TLS, WebSocket and the PROXY protocol: a pure transformation of the two byte streams of one
// connection. It may buffer and split as it likes and keeps its bytes when the connection moves to another
// worker. Lives on its connection's worker; knows no socket.
#pragma once

#include <functional>
#include <memory>

#include "base/bytes.h"
#include "broker/ports.h"
#include "net/address.h"

namespace nightjar::net {

class StreamFilter {
 public:
  virtual ~StreamFilter() = default;

  // Takes bytes that came from the network; the view ends with the call. May write to wire(), as a handshake
  // does. False: the stream is over, in good order or not. Nothing more is received; what next_plain() still
  // has is delivered, what is in wire() is sent, and the connection ends.
  [[nodiscard]] virtual bool receive(ByteView wire) = 0;
  // The next run of bytes for the core, or empty when more input is needed; the view ends with the next call
  // of any method. Bytes not asked for stay in the filter.
  virtual ByteView next_plain() = 0;
  // False means that next_plain() would return nothing.
  [[nodiscard]] virtual bool has_plain() const = 0;

  // Takes bytes that the core sends and writes their form to wire().
  virtual void send(ByteView plain) = 0;
  // Nothing more will be sent: writes the closing words of this protocol, if it has any, to wire().
  virtual void finish() = 0;
  // What is to be written to the socket; the connection consumes it.
  virtual ByteBuffer& wire() = 0;

  // There is heavy work that waits for a later turn: receive() without bytes goes on with it. If it still
  // waits then, although the turn had time for it (TurnBudget), what it needs is taken, and somebody has to
  // give it back first.
  [[nodiscard]] virtual bool has_put_off() const { return false; }
  // True: from now on bytes pass unchanged in both directions. Once it holds none any more (has_plain() is
  // false, wire() empty) nobody has to call it except for what it knows about the peer. Never false again.
  [[nodiscard]] virtual bool is_transparent() const { return false; }
  // What the peer proved here; null for nothing. Complete before the first plain byte.
  [[nodiscard]] virtual const broker::PeerProof* proof() const { return nullptr; }
  // Where the peer really is, if the other end of the connection only speaks for it; null if not. Likewise.
  [[nodiscard]] virtual const PeerAddress* source() const { return nullptr; }
};

// Makes the filter of a new connection, or null: none is needed. An empty function means plain TCP.
using FilterFactory = std::function<std::unique_ptr<StreamFilter>(const Address& peer)>;

}  // namespace nightjar::net
