// What the connections of a client have in common: whom it trusts, what it shows of itself, what it asks for.
// open() reads files; afterwards nothing changes, and any thread may use it.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "net/openssl_ptr.h"

namespace nightjar::net {

struct TlsClientSettings {
  std::string host;         // that the server's certificate must be for; also asked for by name
  std::string authorities;  // PEM file; empty: those of this machine
  std::string certificate;  // PEM file of the client's own, and its key; empty: none
  std::string key;
  bool checks_server = true;
  std::string protocol = "mqtt";  // ALPN
  bool keeps_tickets = false;     // for sessions to be resumed: see TlsClientStream
};

class TlsClientContext {
 public:
  static Result<std::shared_ptr<const TlsClientContext>> open(const TlsClientSettings& settings);

  // For a new connection that is to be given its bytes; null if there is no memory.
  [[nodiscard]] SslPtr connection() const;
  // Why `ssl` failed with this error of SSL_get_error, for whoever typed the command.
  [[nodiscard]] std::string explain(const SSL* ssl, int error) const;

 private:
  explicit TlsClientContext(const TlsClientSettings& settings) : settings_(settings) {}
  [[nodiscard]] Result<void> trust() const;
  [[nodiscard]] Result<void> show_certificate() const;

  TlsClientSettings settings_;
  SslContextPtr context_;
};

}  // namespace nightjar::net
