// Reads the PEM files that TLS needs and says in plain words what is wrong with one. Reads files, so never on
// a worker.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/openssl_ptr.h"

namespace nightjar::net {

// All certificates of a file, at least one, in its order.
Result<std::vector<CertificatePtr>> read_certificates(const std::string& path);
Result<KeyPtr> read_private_key(const std::string& path);
// All revocation lists of a file, at least one.
Result<std::vector<CrlPtr>> read_crls(const std::string& path);
// Parameters for finite field Diffie-Hellman.
Result<KeyPtr> read_dh_params(const std::string& path);

// Identity and key, as bytes. A file has a line "identity:hexadecimal key" for each; empty lines and those
// that begin with # do not count.
using PskTable = std::map<std::string, std::string, std::less<>>;
Result<PskTable> read_psk_file(const std::string& path);
// The same for text; `path` stands for it in messages.
Result<PskTable> parse_psk_table(std::string_view text, const std::string& path);

// What OpenSSL said last about a failure of this thread, and forgets it.
std::string openssl_reason();

}  // namespace nightjar::net
