// What a certificate says, in the forms that rules, logs and people use. Pure functions of a certificate.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker/ports.h"
#include "net/openssl_ptr.h"

namespace nightjar::net {

// As RFC 2253 writes it: "CN=pump,O=Plant".
std::string text_of(const X509_NAME* name);
// The first common name in UTF-8; empty without one, and for one that holds a NUL.
std::string common_name(const X509* certificate);
// Hexadecimal, upper case, as `openssl x509 -serial` prints it.
std::string text_of(const ASN1_INTEGER* serial);
// SHA-256, lower-case hexadecimal.
std::string fingerprint(const X509* certificate);
// Seconds since 1970.
std::int64_t seconds_of(const ASN1_TIME* time);

struct AlternativeNames {
  std::vector<std::string> dns;
  std::vector<std::string> email;
  std::vector<std::string> ip;
};
AlternativeNames alternative_names(const X509* certificate);

broker::CertificateNumber number_of(const X509* certificate);

// What the core may know of a client that showed `certificate`, and was found to hold its key.
std::unique_ptr<broker::PeerProof> proof_of(const X509* certificate);

}  // namespace nightjar::net
