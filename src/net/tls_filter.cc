#include "net/tls_filter.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include <ctime>
#include <utility>

#include "net/passing_bytes.h"
#include "net/tls_certificate.h"
#include "net/tls_chain.h"
#include "net/tls_failure.h"
#include "net/tls_hello.h"
#include "net/turn_budget.h"

namespace nightjar::net {
namespace {

// What OpenSSL holds while a handshake is under way, and from then on until CONNECT is here; measured.
constexpr std::uint32_t kHandshakeBytes = 48 * 1024;
constexpr std::uint32_t kOpenBytes = 16 * 1024;
// The plain text of one record.
constexpr std::size_t kRecordBytesMax = 16 * 1024;
// Header, nonce, padding and tag of one record, at most.
constexpr std::size_t kRecordOverhead = 64;

std::string_view explain(HelloBytes kind) {
  switch (kind) {
    case HelloBytes::kMqtt:
      return "a client speaks MQTT without TLS on this TLS port; let it use TLS (mqtts://, its CA file), or "
             "give "
             "it a port without TLS";
    case HelloBytes::kHttp:
      return "a client speaks plain HTTP or WebSocket on this TLS port; let it use https:// or wss://, or "
             "give it "
             "a port without TLS";
    case HelloBytes::kOldSsl:
      return "a client begins with SSL 2 or 3, which nobody can protect any more; let it use TLS 1.2 or "
             "later";
    case HelloBytes::kBrokenTls:
      return "a client's first record is no TLS ClientHello";
    default:
      return "a client sends something that is not TLS; let it use TLS, or give it a port without TLS";
  }
}

constexpr std::string_view kHttpAnswer =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    "This port speaks TLS: use https:// or wss://\n";
// Alert: fatal, unexpected_message.
constexpr std::string_view kAlert("\x15\x03\x03\x00\x02\x02\x0a", 7);

}  // namespace

TlsFilter::TlsFilter(std::shared_ptr<TlsContext> context, const PeerAddress& peer)
    : context_(std::move(context)), share_(context_->budget()), peer_(peer) {}

TlsFilter::~TlsFilter() = default;

// ---- before there is anything of OpenSSL ----

bool TlsFilter::receive(ByteView wire) {
  switch (state_) {
    case State::kHello:
      return gather_hello(wire);
    case State::kHandshake:
    case State::kOpen:
      return advance(wire);
    case State::kEnded:
    case State::kFinished:
      break;
  }
  return false;
}

bool TlsFilter::gather_hello(ByteView wire) {
  is_put_off_ = false;
  if (!hello_.empty()) hello_.append(wire);
  const ByteView all = hello_.empty() ? wire : hello_.view();
  const HelloBytes kind = look_at_hello(all);
  const bool may_begin = kind == HelloBytes::kHello && !TurnBudget::is_spent() &&
                         share_.resize(StrangerStage::kHandshake, kHandshakeBytes);
  if (may_begin) return begin_handshake(all);
  if (kind != HelloBytes::kHello && kind != HelloBytes::kPartial) {
    if (kind == HelloBytes::kHttp) ends_.out.append(kHttpAnswer);
    if (kind == HelloBytes::kBrokenTls || kind == HelloBytes::kOldSsl) ends_.out.append(kAlert);
    return turn_away(explain(kind));
  }
  if (hello_.empty()) hello_.append(wire);
  // While it waits for its turn, or for others to be done, nothing reasonable follows.
  if (hello_.size() > 2 * kHelloBytesMax) return turn_away(explain(HelloBytes::kBrokenTls));
  if (!share_.resize(StrangerStage::kHello, static_cast<std::uint32_t>(hello_.capacity()))) {
    return turn_away("too many connections that have not finished CONNECT; a client was closed");
  }
  is_put_off_ = kind == HelloBytes::kHello;
  return true;
}

bool TlsFilter::turn_away(std::string_view what) {
  context_->log_refused(peer_.text(), what);
  state_ = State::kFinished;
  is_put_off_ = false;
  hello_.release();
  share_.give_back();
  return false;
}

bool TlsFilter::begin_handshake(ByteView hello) {
  handshake_ = std::make_unique<TlsHandshake>(TlsHandshake{.served = context_->current()});
  ssl_.reset(SSL_new(handshake_->served->context()));
  if (!ssl_ || !set_wire(ssl_.get(), ends_)) return turn_away("no memory for a handshake");
  SSL_set_app_data(ssl_.get(), handshake_.get());
  SSL_set_accept_state(ssl_.get());
  state_ = State::kHandshake;
  const bool holds = advance(hello);
  hello_.release();
  return holds;
}

// ---- with OpenSSL ----

bool TlsFilter::advance(ByteView wire) {
  ends_.in = wire;
  ERR_clear_error();
  const bool holds = (state_ != State::kHandshake || shake_hands()) && (state_ != State::kOpen || decrypt());
  ends_.in = {};
  return holds;
}

// Leaves the state as it is while more has to come from the client.
bool TlsFilter::shake_hands() {
  const TurnBudget::Spending spending;
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return on_handshake_done();
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return true;
  return fail_handshake();
}

bool TlsFilter::fail_handshake() {
  context_->log_refused(peer_.text(), explain_failure(ssl_.get(), handshake_.get()));
  state_ = State::kFinished;
  share_.give_back();
  return false;
}

bool TlsFilter::on_handshake_done() {
  SSL* const ssl = ssl_.get();
  const X509* certificate = SSL_get0_peer_certificate(ssl);
  const bool has_proven = certificate != nullptr && SSL_get_verify_result(ssl) == X509_V_OK;
  if (has_proven) {
    proof_ = proof_of(certificate);
    proof_->authorities = authorities_of(ssl);
  }
  // A ticket stands for a certificate that was looked at when it was issued.
  if (has_proven && SSL_session_reused(ssl) == 1 && !handshake_->served->ignores_client_dates() &&
      proof_->valid_until_s < std::time(nullptr)) {
    proof_.reset();
    context_->log_refused(peer_.text(),
                          "a client's certificate has expired since its last handshake; renew it");
    state_ = State::kFinished;
    return false;
  }
  // TLS 1.3 counts a key as a session; tickets, which would be others, are off where there are keys.
  const bool used_psk = SSL_version(ssl) == TLS1_3_VERSION
                            ? SSL_session_reused(ssl) == 1
                            : SSL_CIPHER_get_auth_nid(SSL_get_current_cipher(ssl)) == NID_auth_psk ||
                                  SSL_get_psk_identity(ssl) != nullptr;
  if (used_psk && !handshake_->psk_identity.empty()) {
    if (!proof_) proof_ = std::make_unique<broker::PeerProof>();
    proof_->psk_identity = std::move(handshake_->psk_identity);
  }
  SSL_set_app_data(ssl, nullptr);
  handshake_.reset();
  static_cast<void>(share_.resize(StrangerStage::kHandshake, kOpenBytes));
  state_ = State::kOpen;
  return true;
}

bool TlsFilter::decrypt() {
  SSL* const ssl = ssl_.get();
  PassingBytes::lend(plain_);
  bool holds = true;
  // Without input a read would only make OpenSSL take a buffer.
  while (!ends_.in.empty() || SSL_has_pending(ssl) == 1) {
    std::size_t count = 0;
    if (SSL_read_ex(ssl, plain_.prepare(kRecordBytesMax), kRecordBytesMax, &count) == 1) {
      plain_.commit(count);
      continue;
    }
    const int error = SSL_get_error(ssl, 0);
    if (error == SSL_ERROR_WANT_READ) break;
    holds = false;
    state_ = error == SSL_ERROR_ZERO_RETURN ? State::kEnded : State::kFinished;
    break;
  }
  if (plain_.empty()) {
    PassingBytes::take_back(plain_);
  } else {
    share_.give_back();  // what the core holds of it, the core counts
  }
  return holds;
}

ByteView TlsFilter::next_plain() { return PassingBytes::hand_out(plain_); }

void TlsFilter::send(ByteView plain) {
  if (state_ != State::kOpen && state_ != State::kEnded) return;
  const std::size_t records = plain.size() / kRecordBytesMax + 1;
  ends_.out.prepare(plain.size() + records * kRecordOverhead);
  ERR_clear_error();
  std::size_t count = 0;
  if (plain.empty() || SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &count) == 1) return;
  state_ = State::kFinished;
}

void TlsFilter::finish() {
  if (state_ == State::kOpen || state_ == State::kEnded) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
  }
  state_ = State::kFinished;
  share_.give_back();
}

}  // namespace nightjar::net
