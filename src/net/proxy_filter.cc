#include "net/proxy_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "net/passing_bytes.h"

namespace nightjar::net {

bool ProxyRules::trusts(const Address& peer) const {
  if (trusted.empty() || peer.family() == AF_UNIX) return true;
  return std::any_of(trusted.begin(), trusted.end(),
                     [&peer](const Network& network) { return network.contains(peer); });
}

ProxyFilter::ProxyFilter(std::shared_ptr<const Shared> shared, const Address& peer)
    : shared_(std::move(shared)), peer_(peer), is_trusted_(shared_->rules.trusts(peer)) {}

bool ProxyFilter::receive(ByteView wire) {
  if (!is_trusted_) return refuse_untrusted();
  held_.append(wire);
  if (shared_ == nullptr) return true;
  ProxyHeader header;
  std::string_view problem;
  switch (read_proxy_header(held_.view(), header, problem)) {
    case ProxyHeaderState::kNeedMore:
      return true;
    case ProxyHeaderState::kMalformed:
      return refuse(problem);
    case ProxyHeaderState::kComplete:
      break;
  }
  if (shared_->rules.version != 0 && header.version != shared_->rules.version)
    return refuse("its header is of the version that the listener does not take");
  // A health check has no client.
  if (shared_->rules.requires_tls && !header.has_tls && !header.is_local) {
    return refuse("its client did not come by TLS, which require_tls asks for");
  }
  if (shared_->rules.requires_certificate && !header.has_certificate && !header.is_local) {
    return refuse("its client showed no valid certificate, which require_certificate asks for");
  }
  return accept(header);
}

bool ProxyFilter::accept(const ProxyHeader& header) {
  held_.consume(header.bytes);
  if (held_.empty()) held_.release();
  if (header.source) source_ = PeerAddress(*header.source);
  if (header.has_certificate) {
    proof_ = std::make_unique<broker::PeerProof>();
    proof_->has_certificate = true;
    proof_->common_name = header.common_name;
  }
  shared_.reset();
  return true;
}

ByteView ProxyFilter::next_plain() { return is_transparent() ? PassingBytes::hand_out(held_) : ByteView{}; }

bool ProxyFilter::refuse_untrusted() {
  shared_->untrusted.warn(
      fmt::format(
          "{} connected to listener {}, which only load balancers may, and was closed; if it is one, add its "
          "address to trusted in [listener.proxy]",
          peer_.text(), shared_->listener),
      shared_->listener);
  return false;
}

bool ProxyFilter::refuse(std::string_view problem) {
  shared_->malformed.warn(
      fmt::format("{} sent listener {} no valid PROXY header and was closed: {}; let the balancer send it "
                  "(send-proxy or send-proxy-v2 in HAProxy), or say enabled = false in [listener.proxy]",
                  peer_.text(), shared_->listener, problem),
      shared_->listener);
  held_.release();
  return false;
}

}  // namespace nightjar::net
