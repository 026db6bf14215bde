// What a TLS listener serves and asks for, as plain values: files, not what is in them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nightjar::net {

struct TlsCertificateFiles {
  std::string certificate;  // PEM: the server's first, then those between it and its authority
  std::string key;          // PEM
  friend bool operator==(const TlsCertificateFiles&, const TlsCertificateFiles&) = default;
};

enum class TlsProtocolVersion : std::uint8_t { kTls12, kTls13 };

// Whether a client has to show a certificate.
enum class TlsClientCertificate : std::uint8_t { kNone, kOptional, kRequired };

struct TlsSettings {
  std::string listener;  // its name, for the log
  // The first is for clients that ask for no name, or for one that nobody has.
  std::vector<TlsCertificateFiles> certificates;
  TlsProtocolVersion min_version = TlsProtocolVersion::kTls12;
  TlsProtocolVersion max_version = TlsProtocolVersion::kTls13;
  // Small records; suites and key sizes of the last twenty years, if `ciphers` is empty.
  bool serves_controllers = false;
  std::string ciphers;  // TLS 1.2, OpenSSL's language
  std::string ciphers_tls13;
  std::string dh_params;
  TlsClientCertificate client_certificate = TlsClientCertificate::kNone;
  std::string client_ca;
  std::string client_ca_dir;
  std::string crl;
  bool ignores_client_dates = false;
  std::string psk_file;
  std::string psk_hint;
  bool speaks_websocket = false;  // accepts ALPN "http/1.1" too
  friend bool operator==(const TlsSettings&, const TlsSettings&) = default;
};

// What is wrong with a setting: the key of the configuration, whose pair of files it is (0: the first), and a
// sentence with the fix.
struct TlsError {
  std::string key;
  std::size_t pair = 0;
  std::string message;
};

}  // namespace nightjar::net
