// `nightjar tls explain`: what clients will object to in a server's certificate. Reads files or asks a
// broker; any thread that may wait.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "net/openssl_ptr.h"

namespace nightjar::cli {

struct ExplainOptions {
  std::string what;         // a PEM file, or "host:port"
  std::string authorities;  // PEM file, empty: those of this machine
  std::string key;
  std::string name;  // empty: the host, if there is one
};

// Prints what the certificate is and every objection; the exit status, 1 if there are objections.
Result<int> explain_certificate(const ExplainOptions& options);

// The objections alone, each a sentence with the fix. `name` may be empty; `authorities` too, which then are
// not asked for.
std::vector<std::string> objections_to(const std::vector<net::CertificatePtr>& chain, const std::string& name,
                                       const std::vector<net::CertificatePtr>& authorities);

}  // namespace nightjar::cli
