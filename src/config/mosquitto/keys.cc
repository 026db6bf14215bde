#include "config/mosquitto/keys.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <optional>

namespace nightjar::config::mosquitto {
namespace {

constexpr std::int64_t kIntMax = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kPacketMax = 268'435'455;
// Mosquitto reads what is below as "no limit".
constexpr std::int64_t kAnyInt = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t kPortMax = 65'535;
// More messages than a queue ever holds: "no maximum".
constexpr std::uint32_t kNoMessageLimit = 100'000'000;
constexpr std::uint64_t kNoByteLimit = std::uint64_t{1} << 40;

constexpr std::string_view kAlwaysWritten =
    "with persistence everything is written as it is acknowledged, so there is no interval";
constexpr std::string_view kGone = "Mosquitto itself has no such option any more";
constexpr std::string_view kBridgeOnly = "";

// ---- kinds of keys ----

constexpr Key flag(std::string_view name, Scope scope, Effect effect) {
  return {.name = name, .scope = scope, .kind = ValueKind::kFlag, .effect = effect};
}
constexpr Key number(std::string_view name, Scope scope, std::int64_t min, std::int64_t max, Effect effect) {
  return {.name = name,
          .scope = scope,
          .kind = ValueKind::kNumber,
          .effect = effect,
          .note = {},
          .may_repeat = true,
          .min = min,
          .max = max};
}
constexpr Key text(std::string_view name, Scope scope, Effect effect) {
  return {.name = name, .scope = scope, .effect = effect, .note = {}, .may_repeat = false};
}
constexpr Key repeated_text(std::string_view name, Scope scope, Effect effect) {
  return {.name = name, .scope = scope, .effect = effect};
}
constexpr Key without_meaning(std::string_view name, Scope scope, ValueKind kind, std::string_view note) {
  return {.name = name, .scope = scope, .kind = kind, .note = note, .may_repeat = true, .min = kAnyInt};
}
// Checked now; it acts with the bridge.
constexpr Key of_bridge(std::string_view name, ValueKind kind, std::int64_t min = 0,
                        std::int64_t max = kIntMax) {
  return {.name = name,
          .scope = Scope::kBridge,
          .kind = kind,
          .effect = nullptr,
          .note = kBridgeOnly,
          .may_repeat = kind != ValueKind::kText,
          .min = min,
          .max = max};
}

// ---- effects that take more than a line ----

broker::ListenerPolicy& limits(Target& t) { return t.draft.config.limits; }
broker::ListenerPolicy& policy(Target& t) { return t.listener.config.policy; }
TlsConfig& tls(Target& t) { return t.listener.config.tls; }

std::string add_bridge_addresses(Target& t, const Value& value) {
  const auto addresses = read_bridge_addresses(value.text);
  if (!addresses) return ": " + addresses.error().message;
  t.bridge->addresses.insert(t.bridge->addresses.end(), addresses->begin(), addresses->end());
  return {};
}

std::string one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  if (std::find(words.begin(), words.end(), word) != words.end()) return {};
  return fmt::format("is one of {}, not \"{}\"", fmt::join(words, ", "), word);
}

std::string bridge_protocol_version(Target&, const Value& value) {
  return one_of(value.text, {"mqttv31", "mqttv311", "mqttv50"});
}
std::string bridge_reload_type(Target&, const Value& value) {
  return one_of(value.text, {"lazy", "immediate"});
}
std::string bridge_start_type(Target&, const Value& value) {
  return one_of(value.text, {"automatic", "lazy", "once"});
}

// So many whole numbers of at least `min`.
std::string numbers(std::string_view text, std::size_t count_min, std::size_t count_max, int min) {
  std::size_t count = 0;
  for (std::string_view word = take_word(text); !word.empty(); word = take_word(text)) {
    int number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc{} || end != word.data() + word.size() || number < min)
      return fmt::format("takes whole numbers from {} on, not \"{}\"", min, word);
    ++count;
  }
  if (count >= count_min && count <= count_max) return {};
  return count_min == count_max ? fmt::format("takes {} numbers, not {}", count_max, count)
                                : fmt::format("takes {} to {} numbers, not {}", count_min, count_max, count);
}

std::string bridge_tcp_keepalive(Target&, const Value& value) { return numbers(value.text, 3, 3, 1); }
std::string restart_timeout(Target&, const Value& value) { return numbers(value.text, 1, 2, 1); }

std::string accept_versions(Target& t, const Value& value) {
  broker::ListenerPolicy& p = policy(t);
  p.accepts_v31 = p.accepts_v311 = p.accepts_v5 = false;
  std::string_view rest = value.text;
  for (std::string_view word = take_word(rest, ", \t"); !word.empty(); word = take_word(rest, ", \t")) {
    if (word == "3") {
      p.accepts_v31 = true;
    } else if (word == "4") {
      p.accepts_v311 = true;
    } else if (word == "5") {
      p.accepts_v5 = true;
    } else {
      return fmt::format("takes 3, 4 and 5 (for MQTT 3.1, 3.1.1 and 5.0), not \"{}\"", word);
    }
  }
  return {};
}

struct LogType {
  std::string_view name;
  std::optional<log::Level> level;  // none: no lines of this kind here
};
constexpr std::array kLogTypes{
    LogType{"all", log::Level::kDebug},       LogType{"debug", log::Level::kDebug},
    LogType{"error", log::Level::kError},     LogType{"information", log::Level::kInfo},
    LogType{"internal", log::Level::kDebug},  LogType{"notice", log::Level::kInfo},
    LogType{"subscribe", log::Level::kDebug}, LogType{"unsubscribe", log::Level::kDebug},
    LogType{"warning", log::Level::kWarn},    LogType{"websockets", std::nullopt}};

std::string log_type(Target& t, const Value& value) {
  std::string_view rest = value.text;
  const std::string_view name = take_word(rest);
  if (name == "none") {
    t.draft.logs_nothing = true;
    return {};
  }
  const auto* found = std::find_if(kLogTypes.begin(), kLogTypes.end(),
                                   [name](const LogType& type) { return type.name == name; });
  if (found == kLogTypes.end()) {
    return fmt::format(
        "is one of debug, error, warning, notice, information, subscribe, unsubscribe, websockets, none and "
        "all, not \"{}\"",
        name);
  }
  t.draft.logs_nothing = false;
  if (found->level) t.draft.log_level = std::min(t.draft.log_level.value_or(*found->level), *found->level);
  return {};
}

std::string log_destination(Target& t, const Value& value) {
  std::vector<std::string>& destinations = t.draft.log_destinations;
  t.draft.has_log_destination = true;
  std::string_view rest = value.text;
  const std::string_view word = take_word(rest);
  if (word == "none") {
    destinations.clear();
  } else if (word == "stdout" || word == "stderr" || word == "syslog" || word == "topic") {
    destinations.emplace_back(word);
  } else if (word == "dlt" || word == "android") {
    t.warn(fmt::format("\"log_dest {}\" is not served; the lines go to the other destinations only", word));
  } else if (word == "file") {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    if (rest.empty()) return "needs the name of the file behind \"file\"";
    destinations.emplace_back(rest);
  } else {
    return fmt::format("is stdout, stderr, syslog, topic, file FILE or none, not \"{}\"", word);
  }
  return {};
}

std::string client_expiration(Target& t, const Value& value) {
  constexpr std::int64_t kHour = 3600;
  std::int64_t count = 0;
  const std::string_view given = value.text;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), count);
  const std::string_view unit = given.substr(static_cast<std::size_t>(end - given.data()));
  const std::int64_t factor = unit == "h"   ? kHour
                              : unit == "d" ? 24 * kHour
                              : unit == "w" ? 7 * 24 * kHour
                              : unit == "m" ? 30 * 24 * kHour
                              : unit == "y" ? 365 * 24 * kHour
                                            : 0;
  if (error != std::errc{} || count < 0 || factor == 0 || count > kIntMax) {
    return fmt::format("is a number with h, d, w, m or y behind it, such as \"14d\", not \"{}\"", given);
  }
  constexpr std::int64_t kLongest = 0xFFFFFFFE;
  limits(t).session_expiry_max_s = static_cast<std::uint32_t>(std::min(count * factor, kLongest));
  return {};
}

std::string protocol(Target& t, const Value& value) {
  ListenerConfig& listener = t.listener.config;
  if (value.text == "mqtt") {
    listener.protocol = Protocol::kMqtt;
  } else if (value.text == "websockets") {
    listener.protocol = Protocol::kWebSocket;
    t.listener.is_used = true;
  } else if (value.text == "http_api") {
    t.warn("\"protocol http_api\" is not served; the listener is left out");
    listener.is_left_out = true;
  } else {
    return fmt::format("is mqtt, websockets or http_api, not \"{}\"", value.text);
  }
  return {};
}

std::string tls_version(Target& t, const Value& value) {
  t.listener.is_used = true;
  if (value.text == "tlsv1.3") {
    tls(t).min_version = TlsVersion::kTls13;
  } else if (value.text == "tlsv1.2") {
    tls(t).min_version = TlsVersion::kTls12;
  } else if (value.text == "tlsv1.1" || value.text == "tlsv1") {
    tls(t).min_version = TlsVersion::kTls12;
    t.warn(fmt::format("TLS below 1.2 is not served: \"tls_version {}\" means tlsv1.2 here", value.text));
  } else {
    return fmt::format("is tlsv1.3 or tlsv1.2, not \"{}\"", value.text);
  }
  return {};
}

std::string socket_domain(Target& t, const Value& value) {
  if (value.text != "ipv4" && value.text != "ipv6") {
    return fmt::format("is ipv4 or ipv6, not \"{}\"", value.text);
  }
  t.listener.config.ip = value.text == "ipv4" ? IpVersion::k4 : IpVersion::k6;
  t.listener.is_used = true;
  return {};
}

std::string mount_point(Target& t, const Value& value) {
  if (value.text.find_first_of("+#") != std::string_view::npos) {
    return fmt::format("must not contain + or #: \"{}\"", value.text);
  }
  if (!value.text.ends_with('/')) {
    t.warn(fmt::format(
        "mount_point \"{}\" does not end with \"/\": the topic \"a\" of its clients becomes \"{}a\"",
        value.text, value.text));
  }
  policy(t).mount_point = value.text;
  return {};
}

std::string proxy_protocol(Target& t, const Value& value) {
  if (value.text != "1" && value.text != "2" && value.text != "true" && value.text != "false" &&
      value.text != "0") {
    return fmt::format("is 1 or 2, not \"{}\"", value.text);
  }
  t.listener.config.proxy.is_on = value.text != "false" && value.text != "0";
  t.listener.config.proxy.version = value.text == "1"   ? ProxyVersion::k1
                                    : value.text == "2" ? ProxyVersion::k2
                                                        : ProxyVersion::kAny;
  return {};
}

// 0 and less: no limit.
std::uint32_t count_or(std::int64_t value, std::uint32_t without) {
  return value <= 0 ? without : static_cast<std::uint32_t>(value);
}

// ---- the table ----

constexpr auto kGlobal = Scope::kGlobal;
constexpr auto kListener = Scope::kListener;
constexpr auto kNamedListener = Scope::kNamedListener;
constexpr auto kSecurity = Scope::kSecurity;

// Several keys are one assignment each.
#define NJ_SET(...)                   \
  [](Target& t, const Value& value) { \
    static_cast<void>(value);         \
    __VA_ARGS__;                      \
    return std::string{};             \
  }
// The same for keys that make Mosquitto open its default listener.
#define NJ_SET_AND_USE(...) NJ_SET(t.listener.is_used = true; __VA_ARGS__)

constexpr std::array kKeys {
  repeated_text("accept_protocol_versions", kNamedListener, accept_versions),
      text("acl_file", kSecurity, NJ_SET(t.security.acl_file = value.text)),
      repeated_text("address", Scope::kBridge, add_bridge_addresses),
      repeated_text("addresses", Scope::kBridge, add_bridge_addresses),
      flag("allow_anonymous", kSecurity, NJ_SET(t.security.allow_anonymous = value.flag)),
      without_meaning("allow_duplicate_messages", kGlobal, ValueKind::kFlag,
                      "a client with overlapping subscriptions gets a message once"),
      flag("allow_zero_length_clientid", kSecurity,
           NJ_SET(t.security.allow_zero_length_clientid = value.flag)),
      text("auto_id_prefix", kSecurity, NJ_SET(t.security.auto_id_prefix = value.text)),
      without_meaning("autosave_interval", kGlobal, ValueKind::kNumber, kAlwaysWritten),
      without_meaning("autosave_on_changes", kGlobal, ValueKind::kFlag, kAlwaysWritten),
      text("bind_address", kGlobal,
           NJ_SET(t.draft.default_listener.config.address = value.text;
                  t.draft.default_listener.is_used = true)),
      text("bind_interface", kListener, NJ_SET_AND_USE(t.listener.config.interface = value.text)),
      of_bridge("bridge_alpn", ValueKind::kText), of_bridge("bridge_attempt_unsubscribe", ValueKind::kFlag),
      of_bridge("bridge_bind_address", ValueKind::kText), of_bridge("bridge_cafile", ValueKind::kText),
      of_bridge("bridge_capath", ValueKind::kText), of_bridge("bridge_certfile", ValueKind::kText),
      of_bridge("bridge_ciphers", ValueKind::kText), of_bridge("bridge_ciphers_tls1.3", ValueKind::kText),
      of_bridge("bridge_identity", ValueKind::kText), of_bridge("bridge_insecure", ValueKind::kFlag),
      of_bridge("bridge_keyfile", ValueKind::kText), of_bridge("bridge_max_packet_size", ValueKind::kNumber),
      of_bridge("bridge_max_topic_alias", ValueKind::kNumber, 0, kPortMax),
      of_bridge("bridge_outgoing_retain", ValueKind::kFlag),
      text("bridge_protocol_version", Scope::kBridge, bridge_protocol_version),
      of_bridge("bridge_psk", ValueKind::kText),
      of_bridge("bridge_receive_maximum", ValueKind::kNumber, 1, kPortMax),
      text("bridge_reload_type", Scope::kBridge, bridge_reload_type),
      of_bridge("bridge_require_ocsp", ValueKind::kFlag),
      of_bridge("bridge_session_expiry_interval", ValueKind::kNumber, 0, 0xFFFFFFFF),
      text("bridge_tcp_keepalive", Scope::kBridge, bridge_tcp_keepalive),
      of_bridge("bridge_tcp_user_timeout", ValueKind::kNumber),
      of_bridge("bridge_tls_use_os_certs", ValueKind::kFlag),
      of_bridge("bridge_tls_version", ValueKind::kText),
      text("cafile", kListener, NJ_SET_AND_USE(tls(t).client_ca = value.text)),
      text("capath", kListener, NJ_SET_AND_USE(tls(t).client_ca_dir = value.text)),
      text("certfile", kListener, NJ_SET_AND_USE(tls(t).files.certificate = value.text)),
      flag("check_retain_source", kGlobal, NJ_SET(t.draft.config.policy.checks_retained_source = value.flag)),
      text("ciphers", kListener, NJ_SET_AND_USE(tls(t).ciphers = value.text)),
      text("ciphers_tls1.3", kListener, NJ_SET_AND_USE(tls(t).ciphers_tls13 = value.text)),
      of_bridge("cleansession", ValueKind::kFlag), of_bridge("clientid", ValueKind::kText),
      text("clientid_prefixes", kGlobal, NJ_SET(limits(t).client_id_prefix = value.text)),
      flag("connection_messages", kGlobal, NJ_SET(t.draft.config.policy.logs_connections = value.flag)),
      text("crlfile", kListener, NJ_SET_AND_USE(tls(t).crl = value.text)),
      text("dhparamfile", kListener, NJ_SET_AND_USE(tls(t).dh_params = value.text)),
      flag("disable_client_cert_date_checks", kListener, NJ_SET(tls(t).ignores_client_dates = value.flag)),
      without_meaning("enable_control_api", kGlobal, ValueKind::kFlag,
                      "\"nightjar ctl\" asks and steers the broker; there is no $CONTROL topic"),
      repeated_text("enable_proxy_protocol", kListener, proxy_protocol),
      number("global_max_clients", kGlobal, -1, kIntMax,
             NJ_SET(t.draft.config.policy.sessions_max = count_or(value.number, 0))),
      number("global_max_connections", kGlobal, -1, kIntMax,
             NJ_SET(t.draft.config.policy.connections_max = count_or(value.number, 0))),
      without_meaning("http_dir", kListener, ValueKind::kText, "no files are served over HTTP"),
      of_bridge("idle_timeout", ValueKind::kNumber),
      of_bridge("keepalive_interval", ValueKind::kNumber, 5, kPortMax),
      text("keyfile", kListener, NJ_SET_AND_USE(tls(t).files.key = value.text)),
      flag("listener_allow_anonymous", kListener, NJ_SET(t.listener.allow_anonymous = value.flag)),
      text("listener_auto_id_prefix", kListener, NJ_SET(t.listener.auto_id_prefix = value.text)),
      of_bridge("local_cleansession", ValueKind::kFlag), of_bridge("local_clientid", ValueKind::kText),
      of_bridge("local_password", ValueKind::kText), of_bridge("local_username", ValueKind::kText),
      repeated_text("log_dest", kGlobal, log_destination),
      number("log_facility", kGlobal, 0, 7,
             NJ_SET(t.draft.config.log.facility = static_cast<std::uint8_t>(value.number))),
      flag("log_timestamp", kGlobal, NJ_SET(t.draft.config.log.has_time = value.flag)),
      text("log_timestamp_format", kGlobal, NJ_SET(t.draft.config.log.time_format = value.text)),
      repeated_text("log_type", kGlobal, log_type),
      number("max_connections", kListener, kAnyInt, kIntMax,
             NJ_SET(policy(t).connections_max = count_or(value.number, 0);
                    if (value.number > 0) t.listener.is_used = true)),
      number("max_inflight_bytes", kGlobal, kAnyInt, std::numeric_limits<std::int64_t>::max(),
             NJ_SET(limits(t).inflight_bytes_max =
                        value.number <= 0 ? kNoByteLimit : static_cast<std::uint64_t>(value.number))),
      number("max_inflight_messages", kGlobal, kAnyInt, kPortMax,
             NJ_SET(const auto most = static_cast<std::uint16_t>(count_or(value.number, kPortMax));
                    limits(t).inflight_max = most; limits(t).receive_maximum = most)),
      number("max_keepalive", kGlobal, 0, kPortMax,
             NJ_SET(limits(t).keep_alive_max_s = static_cast<std::uint16_t>(value.number))),
      number("max_packet_size", kGlobal, 20, kPacketMax,
             NJ_SET(limits(t).packet_bytes_max = static_cast<std::uint32_t>(value.number))),
      number("max_qos", kListener, 0, 2,
             NJ_SET(policy(t).maximum_qos = static_cast<mqtt::Qos>(value.number);
                    if (value.number != 2) t.listener.is_used = true)),
      number("max_queued_bytes", kGlobal, kAnyInt, std::numeric_limits<std::int64_t>::max(),
             NJ_SET(limits(t).queue.bytes_max =
                        value.number <= 0 ? kNoByteLimit : static_cast<std::uint64_t>(value.number))),
      number("max_queued_messages", kGlobal, kAnyInt, kIntMax,
             NJ_SET(limits(t).queue.messages_max = count_or(value.number, kNoMessageLimit))),
      number("max_topic_alias", kListener, 0, kPortMax,
             NJ_SET(policy(t).topic_alias_maximum = static_cast<std::uint16_t>(value.number);
                    if (value.number != 10) t.listener.is_used = true)),
      number("max_topic_alias_broker", kListener, 0, kPortMax,
             NJ_SET(policy(t).topic_alias_maximum_out = static_cast<std::uint16_t>(value.number))),
      number("maximum_qos", kListener, 0, 2,
             NJ_SET(policy(t).maximum_qos = static_cast<mqtt::Qos>(value.number);
                    if (value.number != 2) t.listener.is_used = true)),
      number("memory_limit", kGlobal, 0, std::numeric_limits<std::int64_t>::max(),
             NJ_SET(if (value.number != 0) t.warn(
                 "memory_limit is not enforced as a whole; queues, retained messages and unfinished packets "
                 "have limits of their own"))),
      number("message_size_limit", kGlobal, 0, kPacketMax,
             NJ_SET(limits(t).payload_bytes_max = static_cast<std::uint32_t>(value.number))),
      text("mount_point", kNamedListener, mount_point), of_bridge("notification_topic", ValueKind::kText),
      of_bridge("notifications", ValueKind::kFlag), of_bridge("notifications_local_only", ValueKind::kFlag),
      without_meaning("packet_buffer_size", kGlobal, ValueKind::kNumber,
                      "each worker reads with one large buffer"),
      of_bridge("password", ValueKind::kText),
      text("password_file", kSecurity, NJ_SET(t.security.password_file = value.text)),
      flag("per_listener_settings", kGlobal, NJ_SET(t.draft.is_per_listener = value.flag)),
      flag("persistence", kGlobal, NJ_SET(t.draft.is_persistent = value.flag)),
      text("persistence_file", kGlobal, NJ_SET(t.draft.persistence_file = value.text)),
      text("persistence_location", kGlobal, NJ_SET(t.draft.persistence_location = value.text)),
      repeated_text("persistent_client_expiration", kGlobal, client_expiration),
      text("pid_file", kGlobal, NJ_SET(t.draft.config.process.pid_file = value.text)),
      number("port", kGlobal, 1, kPortMax,
             NJ_SET(t.draft.default_listener.config.port = static_cast<std::uint16_t>(value.number);
                    t.draft.default_listener.has_port = t.draft.default_listener.is_used = true)),
      repeated_text("protocol", kListener, protocol),
      flag("proxy_protocol_v2_require_tls", kListener,
           NJ_SET(t.listener.config.proxy.requires_tls = value.flag)),
      text("psk_file", kSecurity, NJ_SET(t.security.psk_file = value.text)),
      text("psk_hint", kListener, NJ_SET_AND_USE(tls(t).psk_hint = value.text)),
      flag("queue_qos0_messages", kGlobal, NJ_SET(limits(t).queue.queue_qos0_offline = value.flag)),
      of_bridge("remote_clientid", ValueKind::kText), of_bridge("remote_password", ValueKind::kText),
      of_bridge("remote_username", ValueKind::kText),
      flag("require_certificate", kListener,
           NJ_SET(t.listener.requires_certificate = value.flag; if (value.flag) t.listener.is_used = true)),
      text("restart_timeout", Scope::kBridge, restart_timeout),
      flag("retain_available", kGlobal, NJ_SET(limits(t).retain_available = value.flag)),
      without_meaning("retain_expiry_interval", kGlobal, ValueKind::kNumber,
                      "expired retained messages are looked for all the time"),
      without_meaning("retry_interval", kGlobal, ValueKind::kNumber, kGone),
      of_bridge("round_robin", ValueKind::kFlag),
      flag("set_tcp_nodelay", kGlobal,
           NJ_SET(if (!value.flag) t.warn("set_tcp_nodelay: TCP_NODELAY is always on; packets are gathered "
                                          "before they are sent"))),
      repeated_text("socket_domain", kListener, socket_domain),
      text("start_type", Scope::kBridge, bridge_start_type),
      without_meaning("store_clean_interval", kGlobal, ValueKind::kNumber, kGone),
      number("sys_interval", kGlobal, 0, kPortMax,
             NJ_SET(t.draft.config.policy.sys_interval = Duration::seconds(value.number))),
      of_bridge("threshold", ValueKind::kNumber),
      text("tls_engine", kListener,
           [](Target&, const Value& value) {
             return fmt::format(
                 "\"{}\": OpenSSL engines are not supported; give certfile and keyfile as files", value.text);
           }),
      without_meaning("tls_engine_kpass_sha1", kListener, ValueKind::kText,
                      "OpenSSL engines are not supported"),
      text("tls_keyform", kListener,
           [](Target&, const Value& value) {
             return value.text == "pem"
                        ? std::string{}
                        : fmt::format("is \"pem\", not \"{}\": engines are not supported", value.text);
           }),
      repeated_text("tls_version", kListener, tls_version),
      repeated_text("topic", Scope::kBridge,
                    [](Target& t, const Value& value) {
                      auto topic = read_bridge_topic(value.text);
                      if (!topic) return ": " + topic.error().message;
                      t.bridge->topics.push_back(std::move(*topic));
                      return std::string{};
                    }),
      of_bridge("try_private", ValueKind::kFlag),
      flag("upgrade_outgoing_qos", kGlobal, NJ_SET(limits(t).upgrades_qos = value.flag)),
      flag("use_identity_as_username", kListener,
           NJ_SET(t.listener.user_is_common_name = value.flag; if (value.flag) t.listener.is_used = true)),
      flag("use_subject_as_username", kListener,
           NJ_SET(t.listener.user_is_subject = value.flag; if (value.flag) t.listener.is_used = true)),
      flag("use_username_as_clientid", kListener,
           NJ_SET(policy(t).client_id_is_user_name = value.flag; if (value.flag) t.listener.is_used = true)),
      text("user", kGlobal, NJ_SET(t.draft.config.process.user = value.text)),
      of_bridge("username", ValueKind::kText),
      number("websockets_headers_size", kGlobal, 0, kPortMax,
             NJ_SET(t.draft.websocket_headers_bytes_max =
                        count_or(value.number, WebSocketConfig{}.headers_bytes_max))),
      without_meaning("websockets_log_level", kGlobal, ValueKind::kNumber,
                      "there is no library with a log of its own"),
      repeated_text("websockets_origin", kListener,
                    NJ_SET(t.listener.config.websocket.origins.emplace_back(value.text))),
};
#undef NJ_SET
#undef NJ_SET_AND_USE

}  // namespace

std::span<const Key> keys() { return kKeys; }

const Key* find_key(std::string_view name) {
  const auto* found = std::lower_bound(kKeys.begin(), kKeys.end(), name,
                                       [](const Key& key, std::string_view n) { return key.name < n; });
  return found != kKeys.end() && found->name == name ? found : nullptr;
}

}  // namespace nightjar::config::mosquitto
