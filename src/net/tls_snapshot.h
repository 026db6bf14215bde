// What a TLS listener serves at one time: its certificates and keys, whom it trusts, who is revoked. Made of
// the files once and never changed; a reload makes another. Made by threads that may read files, read by all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/ports.h"
#include "net/openssl_ptr.h"
#include "net/tls_files.h"
#include "net/tls_settings.h"

namespace nightjar::net {

// A certificate that is served.
struct TlsCertificateFacts {
  std::string file;
  std::string subject;
  std::string serial;  // hexadecimal
  std::int64_t valid_until_s = 0;
};

class TlsSnapshot {
 public:
  static Result<std::shared_ptr<const TlsSnapshot>, TlsError> open(const TlsSettings& settings);

  // For a new connection; the name that the client asks for may change it during the handshake.
  [[nodiscard]] SSL_CTX* context() const { return contexts_.front().get(); }
  // The one whose certificate is for `name`, else context().
  [[nodiscard]] SSL_CTX* context_for(std::string_view name) const;
  // Null: nobody of that name.
  [[nodiscard]] const std::string* psk_of(std::string_view identity) const;
  [[nodiscard]] bool speaks_websocket() const { return speaks_websocket_; }
  [[nodiscard]] bool asks_for_certificates() const { return asks_for_certificates_; }
  [[nodiscard]] bool ignores_client_dates() const { return ignores_client_dates_; }

  // Whether a revocation list names it.
  [[nodiscard]] bool is_revoked(const broker::CertificateNumber& certificate) const;
  // Whether one names this client's certificate, or an authority that it hangs on.
  [[nodiscard]] bool is_revoked(const broker::PeerProof& client) const;
  [[nodiscard]] bool has_crls() const { return !crls_.empty(); }
  [[nodiscard]] const std::vector<TlsCertificateFacts>& certificates() const { return certificates_; }
  // What works but will not for long, or not for everybody: for the log.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  friend class TlsSnapshotMaker;
  TlsSnapshot() = default;

  std::vector<SslContextPtr> contexts_;  // one for each pair of files
  std::vector<CertificatePtr> leaves_;   // the same order; none with pre-shared keys only
  std::vector<TlsCertificateFacts> certificates_;
  std::vector<CrlPtr> crls_;
  std::vector<std::string> crl_issuers_;
  PskTable psk_;
  bool speaks_websocket_ = false;
  bool asks_for_certificates_ = false;
  bool ignores_client_dates_ = false;
  std::vector<std::string> warnings_;
};

// What the callbacks of one handshake share with its connection, as the SSL object's application data; null
// there when no handshake is under way.
struct TlsHandshake {
  std::shared_ptr<const TlsSnapshot> served;
  std::string psk_identity{};       // of the last key that was looked up
  std::string refused_protocols{};  // ALPN names of which none is spoken here
};

}  // namespace nightjar::net
