#include "cli/bench/wire.h"

#include "cli/bench/packet_scan.h"
#include "cli/dial.h"

namespace nightjar::cli::bench {
namespace {

// Frames, or answers in them, on their way into records of TLS. A thread has one client at a time.
ByteBuffer& frames() {
  thread_local ByteBuffer t_frames;
  t_frames.clear();
  return t_frames;
}

}  // namespace

Result<WireSettings> make_wire_settings(const BenchOptions& options) {
  WireSettings settings{.uses_websocket = options.uses_websocket,
                        .authority = options.unix_path.empty() ? address_text(options.host, options.port)
                                                               : std::string("localhost"),
                        .subprotocol = options.version == mqtt::Version::k31 ? "mqttv3.1" : "mqtt"};
  if (!options.tls) return settings;
  net::TlsClientSettings tls = *options.tls;
  tls.host = options.host;
  tls.keeps_tickets = options.resumes;
  if (options.uses_websocket) tls.protocol = "http/1.1";
  NJ_TRY(settings.tls, net::TlsClientContext::open(tls));
  return settings;
}

Wire::Wire(const WireSettings& settings, SSL_SESSION* ticket) {
  if (settings.tls) tls_ = std::make_unique<net::TlsClientStream>(settings.tls, ticket);
  if (settings.uses_websocket) websocket_.emplace(settings.authority, settings.subprotocol);
}

void Wire::begin(ByteBuffer& out) {
  if (tls_) return tls_->begin(out);
  has_requested_ = true;
  out.append(websocket_->request());
}

bool Wire::is_open() const {
  return (tls_ == nullptr || tls_->is_open()) && (!websocket_ || websocket_->is_open());
}

Result<std::size_t> Wire::receive(std::byte* bytes, std::size_t count, std::byte* into, ByteBuffer& out) {
  if (tls_) {
    NJ_TRY(count, tls_->receive({bytes, count}, into, out));
  }
  if (!websocket_ || (tls_ && !tls_->is_open())) return count;
  if (!has_requested_) {
    has_requested_ = true;
    tls_->send(as_bytes(websocket_->request()), out);
  }
  if (!tls_) return websocket_->receive({into, count}, out);
  ByteBuffer& answers = frames();
  NJ_TRY(count, websocket_->receive({into, count}, answers));
  tls_->send(answers.view(), out);
  return count;
}

void Wire::send(ByteView packets, ByteBuffer& out) {
  if (!websocket_) return tls_->send(packets, out);
  if (!tls_) return send_frames(packets, out);
  ByteBuffer& framed = frames();
  send_frames(packets, framed);
  tls_->send(framed.view(), out);
}

void Wire::send_frames(ByteView packets, ByteBuffer& out) {
  while (!packets.empty()) {
    const ScannedPacket scanned = scan_packet(packets);
    const bool is_whole = scanned.state == ScanState::kComplete;
    const ByteView packet = is_whole ? packets.first(scanned.size) : packets;
    websocket_->send(packet, out);
    packets = packets.subspan(packet.size());
  }
}

}  // namespace nightjar::cli::bench
