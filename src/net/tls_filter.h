// A server's end of TLS as the outermost filter of a connection. OpenSSL reads from and writes to the
// filter's own buffers, and there is nothing of OpenSSL before a whole ClientHello is there, the turn has
// time and the budget for strangers has room: until then a stranger costs what it sent. Between messages the
// filter holds no buffer. Lives on its connection's worker, and may move with it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "broker/ports.h"
#include "net/address.h"
#include "net/openssl_ptr.h"
#include "net/stranger_share.h"
#include "net/stream_filter.h"
#include "net/tls_context.h"
#include "net/tls_wire.h"

namespace nightjar::net {

class TlsFilter final : public StreamFilter {
 public:
  TlsFilter(std::shared_ptr<TlsContext> context, const PeerAddress& peer);
  ~TlsFilter() override;
  TlsFilter(const TlsFilter&) = delete;
  TlsFilter& operator=(const TlsFilter&) = delete;

  [[nodiscard]] bool receive(ByteView wire) override;
  ByteView next_plain() override;
  [[nodiscard]] bool has_plain() const override { return !plain_.empty(); }
  void send(ByteView plain) override;
  void finish() override;
  ByteBuffer& wire() override { return ends_.out; }
  [[nodiscard]] bool has_put_off() const override { return is_put_off_; }
  [[nodiscard]] const broker::PeerProof* proof() const override { return proof_.get(); }

 private:
  enum class State : std::uint8_t {
    kHello,      // no whole ClientHello yet
    kHandshake,  // under way
    kOpen,
    kEnded,    // the client said that it sends no more
    kFinished  // nothing goes in either direction
  };

  bool gather_hello(ByteView wire);
  bool begin_handshake(ByteView hello);
  // Lets OpenSSL go as far as `wire` takes it.
  bool advance(ByteView wire);
  bool shake_hands();
  bool on_handshake_done();
  bool decrypt();
  bool turn_away(std::string_view what);
  bool fail_handshake();

  std::shared_ptr<TlsContext> context_;
  SslPtr ssl_;
  TlsWire ends_;
  ByteBuffer hello_;
  ByteBuffer plain_;
  std::unique_ptr<TlsHandshake> handshake_;
  std::unique_ptr<broker::PeerProof> proof_;
  StrangerShare share_;
  PeerAddress peer_;
  State state_ = State::kHello;
  bool is_put_off_ = false;
};

}  // namespace nightjar::net
