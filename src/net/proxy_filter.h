// Takes the PROXY header off the front of a connection and lets everything behind it pass. Lives on its
// connection's worker.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"
#include "net/network.h"
#include "net/proxy_header.h"
#include "net/rare_log_line.h"
#include "net/stream_filter.h"

namespace nightjar::net {

// What all connections of a listener share. Any thread.
struct ProxyRules {
  std::vector<Network> trusted{};     // empty: every peer
  std::uint8_t version = 0;           // of the header; 0: any
  bool requires_tls = false;          // the client must have come to the balancer by TLS
  bool requires_certificate = false;  // and have shown it a certificate that is in order

  // Peers of Unix sockets have no address; the mode of the socket says who they are.
  [[nodiscard]] bool trusts(const Address& peer) const;
};

class ProxyFilter final : public StreamFilter {
 public:
  struct Shared {
    std::string listener;
    ProxyRules rules;
    mutable RareLogLine untrusted{};
    mutable RareLogLine malformed{};
  };

  ProxyFilter(std::shared_ptr<const Shared> shared, const Address& peer);

  [[nodiscard]] bool receive(ByteView wire) override;
  ByteView next_plain() override;
  [[nodiscard]] bool has_plain() const override { return is_transparent() && !held_.empty(); }
  void send(ByteView plain) override { wire_.append(plain); }
  void finish() override {}
  ByteBuffer& wire() override { return wire_; }
  [[nodiscard]] bool is_transparent() const override { return shared_ == nullptr; }
  [[nodiscard]] const broker::PeerProof* proof() const override { return proof_.get(); }
  [[nodiscard]] const PeerAddress* source() const override { return source_ ? &*source_ : nullptr; }

 private:
  bool refuse_untrusted();
  bool refuse(std::string_view problem);
  bool accept(const ProxyHeader& header);

  std::shared_ptr<const Shared> shared_;  // null: the header was read
  ByteBuffer held_;                       // an incomplete header, then what came behind it
  ByteBuffer wire_;
  std::unique_ptr<broker::PeerProof> proof_;
  std::optional<PeerAddress> source_;
  PeerAddress peer_;
  bool is_trusted_;
};

}  // namespace nightjar::net
