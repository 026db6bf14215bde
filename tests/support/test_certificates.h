// Certificates of a test's own authority, as files in a directory that goes with it: ca, server (for
// "localhost" and 127.0.0.1), other (for "other.example"), client and client2, each NAME.pem and NAME.key;
// keys (PSK); and `none.crl`, which revokes nobody.
#pragma once

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "net/tls_authority.h"
#include "tests/support/temp_dir.h"

namespace nightjar::test_support {

class TestCertificates {
 public:
  static constexpr std::int64_t kDay = 24 * 3600;

  TestCertificates() : authority_(net::make_authority("Test CA", 30 * kDay).value()) {
    write("ca", authority_);
    write("server",
          issue({.common_name = "localhost", .names = {"localhost", "127.0.0.1"}, .is_server = true}));
    write("other", issue({.common_name = "other", .names = {"other.example"}, .is_server = true}));
    write("client", issue({.common_name = "pump 7", .names = {"pump7.example"}}));
    write("client2", issue({.common_name = "pump 8"}));
    write_text("keys", "# keys of this plant\ndevice:00112233445566778899aabbccddeeff\n");
    write_text("none.crl", net::make_crl(authority_, {}, kDay).value());
  }

  [[nodiscard]] std::string path(const std::string& name) const {
    return (directory_.path() / name).string();
  }

  // Valid for a day unless the request says otherwise.
  net::PemPair issue(net::CertificateRequest request) const {
    if (request.valid_until_s == 0) request.valid_until_s = kDay;
    if (request.valid_from_s == 0) request.valid_from_s = -60;
    return net::issue(authority_, request).value();
  }
  void write(const std::string& name, const net::PemPair& pair) const {
    write_text(name + ".pem", pair.certificate);
    write_text(name + ".key", pair.key);
  }
  void write_text(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Writes revoked.crl with the certificate NAME.pem on it.
  void revoke(const std::string& name) const {
    write_text("revoked.crl", net::make_crl(authority_, {read(name + ".pem")}, kDay).value());
  }
  [[nodiscard]] const net::PemPair& authority() const { return authority_; }

 private:
  TempDir directory_;
  net::PemPair authority_;
};

}  // namespace nightjar::test_support
