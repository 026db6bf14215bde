// What nightjar.toml and the command line decide, as plain values. Filled in once, before anything starts.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "broker/policy.h"

namespace nightjar::config {

enum class LogFormat : std::uint8_t { kText, kJson };

// What an acknowledgement promises.
enum class Durability : std::uint8_t {
  kFsync,  // what it confirms survives a power cut
  kOs,     // it survives the end of the process, however that comes
  kMemory  // it is gone with the process
};

struct LogConfig {
  log::Level level = log::Level::kInfo;
  LogFormat format = LogFormat::kText;
  std::string destination = "stderr";          // or "stdout", "syslog", "none", or a file
  std::vector<std::string> more_destinations;  // the same lines go there too
  bool has_time = true;                        // text lines begin with the time
  std::string time_format;                     // strftime's language; empty: down to the millisecond
  std::uint8_t facility = 8;                   // syslog: local0 to local7, or 8 for daemon
  friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

// Which Internet protocol a listener takes where its address leaves the choice.
enum class IpVersion : std::uint8_t { kBoth, k4, k6 };

// What a listener speaks.
enum class Protocol : std::uint8_t {
  kMqtt,       // MQTT over TCP, or over TLS if the listener has a certificate
  kWebSocket,  // MQTT in WebSocket, likewise
  kAuto        // each connection as its first bytes say: TLS or not, WebSocket or not
};

enum class TlsProfile : std::uint8_t {
  kModern,  // TLS 1.2 and 1.3
  kPlc      // what controllers of the last twenty years speak, and slowly
};

enum class TlsVersion : std::uint8_t { kTls12, kTls13 };

// Whether a client has to show a certificate.
enum class ClientCertificate : std::uint8_t { kNone, kOptional, kRequired };

// Whom a certificate, or a pre-shared key, stands for.
enum class CertificateUser : std::uint8_t {
  kNone,        // it lets its holder connect, nothing else
  kCommonName,  // the user is the common name; for a key its identity
  kSubject,     // the whole subject, as RFC 2253 writes it
  kDnsName,     // the first DNS name of the certificate
  kEmailName,
  kFingerprint
};

struct CertificateFiles {
  std::string certificate;  // PEM, the server's first, then those between it and its authority
  std::string key;          // PEM
};

struct TlsConfig {
  CertificateFiles files;              // empty: no TLS, unless there is a psk_file
  std::vector<CertificateFiles> more;  // chosen by the name that the client asks for
  TlsProfile profile = TlsProfile::kModern;
  TlsVersion min_version = TlsVersion::kTls12;
  TlsVersion max_version = TlsVersion::kTls13;
  std::string ciphers;        // TLS 1.2, OpenSSL's language; empty: the profile's
  std::string ciphers_tls13;  // likewise
  std::string dh_params;      // PEM; empty: none
  // Clients' certificates.
  ClientCertificate client_certificate = ClientCertificate::kNone;
  std::string client_ca;      // PEM
  std::string client_ca_dir;  // with hashed names
  std::string crl;            // PEM
  bool ignores_client_dates = false;
  CertificateUser user_from = CertificateUser::kNone;
  // Pre-shared keys: "identity:hexadecimal key" a line.
  std::string psk_file;
  std::string psk_hint;

  [[nodiscard]] bool is_on() const { return !files.certificate.empty() || !psk_file.empty(); }
};

struct WebSocketConfig {
  std::vector<std::string> origins;  // empty: any
  std::uint32_t headers_bytes_max = 16 * 1024;
};

// Which form of the PROXY header is taken.
enum class ProxyVersion : std::uint8_t { kAny, k1, k2 };

// Load balancers that say where a connection really comes from.
struct ProxyConfig {
  bool is_on = false;
  ProxyVersion version = ProxyVersion::kAny;
  std::vector<std::string> trusted;  // networks: "10.0.0.0/8"; empty: every peer
  bool requires_tls = false;         // the balancer must say that its client came by TLS (version 2)
};

// Where identities and rules are. Empty: none.
struct AuthConfig {
  std::string password_file;
  std::string acl_file;
  bool is_mosquitto = false;       // names are taken as Mosquitto takes them
  bool has_mosquitto_acl = false;  // the acl_file is Mosquitto's, whatever its name
  std::string dynamic_security;    // Mosquitto's file of that plugin, in place of both
  // The file loads a plugin that is not here and that might know the users: no unproved name lets anybody in.
  bool refuses_unproved_names = false;
};

struct ListenerConfig {
  std::string label;  // "listener.NAME" as messages call it; empty if no file says it
  std::string address = "*";
  bool is_name_allowed = false;  // the address may be a host name
  std::uint16_t port = 1883;
  IpVersion ip = IpVersion::kBoth;
  std::string interface;     // not empty: the addresses of this network interface
  bool is_left_out = false;  // read, but not to be opened
  std::string unix_path;     // not empty: a Unix socket, and neither address nor port
  std::uint32_t unix_mode = 0660;
  Protocol protocol = Protocol::kMqtt;
  TlsConfig tls;
  WebSocketConfig websocket;
  ProxyConfig proxy;
  AuthConfig auth;
  broker::ListenerPolicy policy;
};

struct NodeConfig {
  std::string data_dir = "./data";  // empty: a directory of its own that ends with the process
  std::uint16_t workers = 0;        // 0: one per core
  Durability durability = Durability::kFsync;
};

// How the process lives beside its clients.
struct ProcessConfig {
  std::string pid_file;  // empty: none
  std::string user;      // what root becomes once everything is open; empty: it stays root
};

struct Config {
  NodeConfig node;
  broker::NodePolicy policy{.placement = broker::Placement::kAdaptive};
  broker::ListenerPolicy limits;  // what a listener starts from
  AuthConfig auth;                // the same
  LogConfig log;
  ProcessConfig process;
  bool is_mosquitto = false;  // read from Mosquitto's language
  // What a file says that does nothing here, or not all it says; one line each for the log.
  std::vector<std::string> warnings;
  // The same for what it wants and does not get.
  std::vector<std::string> errors;
  std::vector<ListenerConfig> listeners;  // none: the loopback listener

  // Where the file says it: "log.destination" -> "nightjar.toml:7:15". A listener stands under its label.
  std::map<std::string, std::string> places;
  // Keys that an option of the command line decided, whatever the file says.
  std::set<std::string> from_command_line;
};

}  // namespace nightjar::config
