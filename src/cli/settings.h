// What the command line asks for, as plain structs: client_options.h fills them, pub and sub act on them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/format.h"
#include "cli/message.h"
#include "mqtt/packets.h"
#include "mqtt/types.h"
#include "net/tls_client.h"

namespace nightjar::cli {

struct WillSettings {
  OutgoingMessage message;
  std::optional<std::uint32_t> delay_s;
};

// How to reach a broker and what CONNECT says. Fields that only 5.0 has are left out in 3.1 and 3.1.1.
struct ConnectionSettings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 1883;
  std::string unix_path;  // not empty: a Unix socket, and neither host nor port
  bool uses_websocket = false;
  mqtt::Version version = mqtt::Version::k5;
  std::string client_id;
  std::optional<std::string> user_name;
  std::optional<std::string> password;
  std::uint16_t keep_alive_s = 60;
  bool clean_start = true;
  std::optional<std::uint32_t> session_expiry_s;
  std::optional<std::uint16_t> receive_maximum;
  std::optional<std::uint32_t> packet_bytes_max;
  std::optional<std::uint16_t> topic_alias_maximum;
  std::vector<NamedValue> user_properties;
  std::optional<WillSettings> will;
  std::optional<net::TlsClientSettings> tls;  // its host is not filled in
  bool reconnect = false;
  std::optional<Duration> timeout;  // for the whole command
};

struct SubscribeSettings {
  std::vector<std::string> filters;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool no_local = false;
  bool retain_as_published = false;
  mqtt::RetainHandling retain_handling = mqtt::RetainHandling::kSend;
  std::optional<std::uint32_t> subscription_id;
  std::vector<NamedValue> user_properties;
};

// Where the payloads of `nightjar pub` come from.
enum class PayloadSource : std::uint8_t {
  kFixed,  // -m, -n, -f, -s: one payload, known before connecting
  kLines,  // -l: every line of the standard input
};

struct PubSettings {
  ConnectionSettings connection;
  PayloadSource source = PayloadSource::kFixed;
  OutgoingMessage message;  // with kLines the payload is filled in line by line
  std::uint32_t repeat = 1;
  Duration interval;
  bool is_request = false;  // wait for one answer on the message's Response Topic
  Format format;            // of the answer
};

struct SubSettings {
  ConnectionSettings connection;
  SubscribeSettings subscribe;
  Format format;
  bool ends_with_newline = true;
  std::uint64_t count = 0;  // 0: no end
  bool retained_only = false;
  bool no_retained = false;
};

}  // namespace nightjar::cli
