// A small certificate authority: makes keys, its own certificate, those of servers and clients, revocation
// lists. Pure but for chance and the clock, which OpenSSL asks itself; blocks for the making of a key, so
// never on a worker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/openssl_ptr.h"

namespace nightjar::net {

enum class KeyKind : std::uint8_t {
  kEcP256,
  kRsa2048  // for controllers that know nothing else
};

// A certificate and its private key, both in PEM form.
struct PemPair {
  std::string certificate;
  std::string key;
};

struct CertificateRequest {
  std::string common_name;
  std::vector<std::string> names;  // DNS names and IP addresses; none for a client
  bool is_server = false;
  std::int64_t valid_from_s = 0;  // from now; may be negative
  std::int64_t valid_until_s = 0;
  KeyKind key_kind = KeyKind::kEcP256;
};

Result<PemPair> make_authority(const std::string& name, std::int64_t valid_s,
                               KeyKind kind = KeyKind::kEcP256);
Result<PemPair> issue(const PemPair& authority, const CertificateRequest& request);
// A list of `revoked` certificates, in PEM form, that is good until `valid_s` from now.
Result<std::string> make_crl(const PemPair& authority, const std::vector<std::string>& revoked,
                             std::int64_t valid_s);

// Whether a certificate may hold it as a name: a DNS name, also "*.plant.example", or an IP address.
bool is_certificate_name(const std::string& name);
bool is_ip_address(const std::string& text);

}  // namespace nightjar::net
