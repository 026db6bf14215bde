// A plant's own certificate authority in one directory: ca.pem, ca.key, server.pem, server.key, crl.pem, and
// client-NAME.pem with client-NAME.key for each client. Keys are for their owner's eyes only. Used by one
// thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/tls_authority.h"

namespace nightjar::cli {

class TlsPlant {
 public:
  struct Names {
    std::vector<std::string> server;   // DNS names and IP addresses; the first is its common name, too
    std::vector<std::string> clients;  // user names
    net::KeyKind key_kind = net::KeyKind::kEcP256;
  };
  // Makes everything. Fails if there is an authority already.
  static Result<TlsPlant> make(const std::filesystem::path& directory, const Names& names);
  static Result<TlsPlant> open(const std::filesystem::path& directory);

  Result<void> add_client(const std::string& name);
  // Issues everything anew that ends within so many days; its files, in order.
  Result<std::vector<std::string>> renew(std::int64_t within_days);
  // Writes crl.pem anew, with the certificate of this client on it as well.
  Result<void> revoke(const std::string& client);

  [[nodiscard]] std::filesystem::path path(const std::string& file) const { return directory_ / file; }
  [[nodiscard]] std::vector<std::string> clients() const;

 private:
  TlsPlant(std::filesystem::path directory, net::PemPair authority)
      : directory_(std::move(directory)), authority_(std::move(authority)) {}
  Result<void> issue(const std::string& file, const net::CertificateRequest& request) const;
  Result<bool> renew_one(const std::string& file, std::int64_t within_days) const;
  Result<void> write_crl() const;

  std::filesystem::path directory_;
  net::PemPair authority_;
};

}  // namespace nightjar::cli
