#include "config/schema.h"

#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include "broker/ids.h"

namespace nightjar::config {
namespace {

using broker::ListenerPolicy;
using broker::NodePolicy;
using broker::QueueLimits;

constexpr std::int64_t kKiB = 1024;
constexpr std::int64_t kMiB = 1024 * kKiB;
constexpr std::int64_t kGiB = 1024 * kMiB;
constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kDay = 24 * 3600 * kSecond;
// MQTT's largest packet: four length bytes of seven bits, and the header.
constexpr std::int64_t kPacketMax = 268'435'455 + 5;

// In the order of the enumerations they name.
constexpr std::string_view kOverflows[] = {"drop-new", "drop-old", "reject", "disconnect", "conflate"};
constexpr std::size_t kGroupOverflows = 3;  // the first ones; the others are about one client
constexpr std::string_view kStrategies[] = {"least-in-flight", "round-robin", "sticky", "hash-by-client",
                                            "hash-by-topic"};
constexpr std::string_view kPlacements[] = {"spread", "adaptive"};
constexpr std::string_view kDurabilities[] = {"fsync", "os", "memory"};
constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};
constexpr std::string_view kIpVersions[] = {"both", "4", "6"};
constexpr std::string_view kFormats[] = {"text", "json"};
constexpr std::string_view kProtocols[] = {"mqtt", "websocket", "auto"};
constexpr std::string_view kProxyVersions[] = {"any", "1", "2"};
constexpr std::string_view kTlsProfiles[] = {"modern", "plc"};
constexpr std::string_view kTlsVersions[] = {"1.2", "1.3"};
constexpr std::string_view kClientCertificates[] = {"none", "optional", "required"};
constexpr std::string_view kCertificateUsers[] = {"none",     "common-name", "subject",
                                                  "dns-name", "email",       "fingerprint"};

constexpr Shape flag() { return {.kind = Kind::kBool}; }
constexpr Shape text(std::string_view example) { return {.kind = Kind::kText, .example = example}; }
constexpr Shape texts(std::string_view example) { return {.kind = Kind::kTexts, .example = example}; }
constexpr Shape mode(std::string_view example) { return {.kind = Kind::kMode, .example = example}; }
constexpr Shape number(std::int64_t min, std::int64_t max, std::string_view example) {
  return {.kind = Kind::kNumber, .min = min, .max = max, .example = example};
}
constexpr Shape size(std::int64_t min, std::int64_t max, std::string_view example) {
  return {.kind = Kind::kSize, .min = min, .max = max, .example = example};
}
constexpr Shape duration(std::int64_t min, std::int64_t max, std::string_view example) {
  return {.kind = Kind::kDuration, .min = min, .max = max, .example = example};
}
constexpr Shape whole_seconds(std::int64_t min, std::int64_t max, std::string_view example,
                              std::int64_t never = 0) {
  return {
      .kind = Kind::kDuration, .min = min, .max = max, .step = kSecond, .never = never, .example = example};
}
constexpr Shape choice(std::span<const std::string_view> names) {
  return {.kind = Kind::kChoice, .choices = names};
}

// What a Value holds as it is.
template <typename Field>
constexpr bool kIsValue = std::is_same_v<Field, bool> || std::is_same_v<Field, std::string> ||
                          std::is_same_v<Field, std::vector<std::string>>;

template <typename Field>
Value read_field(const Field& field, std::int64_t step) {
  if constexpr (kIsValue<Field>) {
    return field;
  } else if constexpr (std::is_same_v<Field, Duration>) {
    return field.ms;
  } else {
    return static_cast<std::int64_t>(field) * step;
  }
}

template <typename Field>
void write_field(Field& field, const Value& value, std::int64_t step) {
  if constexpr (kIsValue<Field>) {
    field = std::get<Field>(value);
  } else if constexpr (std::is_same_v<Field, Duration>) {
    field.ms = std::get<std::int64_t>(value);
  } else {
    field = static_cast<Field>(std::get<std::int64_t>(value) / step);
  }
}

template <typename Field>
Slot key(std::string_view name, Field& field, const Shape& shape, std::string_view meaning) {
  // Fields of type Duration hold milliseconds themselves.
  const std::int64_t step = shape.step;
  return {name, shape, meaning, [&field, step] { return read_field(field, step); },
          [&field, step](const Value& value) { write_field(field, value, step); }};
}

std::vector<Slot> node_keys(NodeConfig& node, ProcessConfig& process, NodePolicy& policy) {
  return {
      key("data", node.data_dir, text("/var/lib/nightjar"),
          "Directory of everything that outlives a start; one broker at a time uses it."),
      key("durability", node.durability, choice(kDurabilities),
          "What an acknowledgement promises: \"fsync\": what it confirms survives a power cut; \"os\": the "
          "broker may be killed; \"memory\": a restart forgets everything."),
      key("workers", node.workers, number(0, broker::kWorkersMax, "2"),
          "Threads that serve clients; 0 means one per core."),
      key("pid_file", process.pid_file, text("/run/nightjar.pid"),
          "File that holds the process id while the broker runs."),
      key("user", process.user, text("nightjar"),
          "Who the broker becomes when root starts it, once everything is open."),
      key("placement", policy.placement, choice(kPlacements),
          "\"adaptive\": clients are served by one worker until it is busy, then by more; \"spread\": by all "
          "workers from the start."),
      key("shards", policy.shards, number(1, 4096, "128"),
          "Parts that clients are divided into; a power of two and not fewer than workers."),
      key("max_retained_messages", policy.retained_messages_max, number(0, 1'000'000'000, "100000"),
          "Most retained messages that are kept; a further topic is refused with 0x97."),
      key("max_retained_bytes", policy.retained_bytes_max, size(0, 1024 * kGiB, "256MiB"),
          "Most bytes of all retained messages together: topics, properties and payloads."),
      key("max_connections", policy.connections_max, number(0, 100'000'000, "5000"),
          "Connections open at a time on all listeners together. 0: no limit."),
      key("max_sessions", policy.sessions_max, number(0, 1'000'000'000, "20000"),
          "Sessions, connected or kept; a client that would need one more is refused. 0: no limit."),
      key("check_retained_source", policy.checks_retained_source, flag(),
          "Whether a retained message goes to a new subscription only while its publisher may still publish "
          "there."),
      key("log_connections", policy.logs_connections, flag(),
          "Whether a line is logged when a client comes and when it goes."),
      key("max_stranger_bytes", policy.strangers_bytes_max, size(64 * kKiB, 64 * kGiB, "16MiB"),
          "Bytes that connections may hold together before their CONNECT is accepted."),
      key("max_unfinished_bytes", policy.unfinished_bytes_max, size(kMiB, 1024 * kGiB, "128MiB"),
          "Bytes of larger packets that clients may hold together while parts are still to come."),
  };
}

std::vector<Slot> limits_keys(ListenerPolicy& p) {
  return {
      key("connect_timeout", p.connect_timeout, duration(100, 300 * kSecond, "10s"),
          "A connection that has not completed CONNECT by then is closed."),
      key("max_connect_size", p.connect_bytes_max, size(1 * kKiB, kPacketMax, "64KiB"),
          "Largest CONNECT packet."),
      key("max_packet_size", p.packet_bytes_max, size(1 * kKiB, kPacketMax, "1MiB"),
          "Largest packet a client may send; told to 5.0 clients as Maximum Packet Size."),
      key("max_packet_size_out", p.packet_bytes_max_out, size(0, kPacketMax, "8KiB"),
          "Largest packet sent to a client that announces no Maximum Packet Size, as 3.1 and 3.1.1 clients "
          "cannot; a larger message is dropped for it. 0: no limit."),
      key("receive_maximum", p.receive_maximum, number(1, 65535, "100"),
          "QoS 1 and 2 messages that a 5.0 client may have unacknowledged towards the broker."),
      key("max_inflight", p.inflight_max, number(1, 65535, "20"),
          "QoS 1 and 2 messages unacknowledged towards a client, at most its own Receive Maximum."),
      key("max_inflight_bytes", p.inflight_bytes_max, size(64 * kKiB, 16 * kGiB, "1MiB"),
          "Bytes of the messages that are unacknowledged towards a client; a single larger one still "
          "passes."),
      key("topic_alias_maximum", p.topic_alias_maximum, number(0, 65535, "16"),
          "Topic aliases that a 5.0 client may set."),
      key("topic_alias_maximum_out", p.topic_alias_maximum_out, number(0, 65535, "16"),
          "Topic aliases used towards a client, at most what it allows."),
      key("max_keep_alive", p.keep_alive_max_s, whole_seconds(0, 65535 * kSecond, "10m"),
          "Longest Keep Alive; a 5.0 client that asks for more, or for none, is told this one. 0: no limit."),
      key("max_session_expiry", p.session_expiry_max_s,
          whole_seconds(0, 0xFFFFFFFE * kSecond, "never", 0xFFFFFFFF * kSecond),
          "Longest Session Expiry Interval; also ends sessions of 3.1 and 3.1.1 clients that are away "
          "longer."),
      key("max_output_bytes", p.output_bytes_max, size(4 * kKiB, 16 * kGiB, "1MiB"),
          "Unsent bytes that a connection may hold. Above it QoS 0 is dropped and QoS 1 and 2 wait in the "
          "queue."),
      key("max_outstanding_bytes", p.outstanding_bytes_max, size(0, kGiB, "8KiB"),
          "Bytes on their way that the client's machine has not confirmed, 4KiB or more; what comes next "
          "counts as unsent. 0: as many as the kernel takes, which are megabytes."),
      key("maximum_qos", p.maximum_qos, number(0, 2, "1"), "Highest QoS that a client may publish with."),
      key("retain_available", p.retain_available, flag(), "Whether clients may publish retained messages."),
      key("wildcard_subscription_available", p.wildcard_subscription_available, flag(),
          "Whether filters may contain + and #."),
      key("subscription_identifier_available", p.subscription_identifier_available, flag(),
          "Whether 5.0 clients may give their subscriptions an identifier."),
      key("shared_subscription_available", p.shared_subscription_available, flag(),
          "Whether $share/ is served."),
      key("max_topic_levels", p.topic_levels_max, number(1, 65535, "20"),
          "Most levels of a topic or a filter."),
      key("max_payload_size", p.payload_bytes_max, size(0, kPacketMax, "256KiB"),
          "Largest payload of a PUBLISH; a larger one is acknowledged and dropped, a 5.0 client is told "
          "0x83. 0: as the packet allows."),
      key("max_connections", p.connections_max, number(0, 100'000'000, "5000"),
          "Connections open at a time; further ones are closed at once. 0: no limit."),
      key("mount_point", p.mount_point, text("plant-7/"),
          "Stands in front of every topic and filter of the clients, and is taken off what they receive."),
      key("accept_3_1", p.accepts_v31, flag(), "Whether MQTT 3.1 clients may enter."),
      key("accept_3_1_1", p.accepts_v311, flag(), "Whether MQTT 3.1.1 clients may enter."),
      key("accept_5_0", p.accepts_v5, flag(), "Whether MQTT 5.0 clients may enter."),
      key("client_id_prefix", p.client_id_prefix, text("plant-7-"),
          "Client ids that do not begin so are refused."),
      key("client_id_is_user_name", p.client_id_is_user_name, flag(),
          "Whether the user name is the client id, whatever CONNECT says; without one nobody enters."),
      key("allow_empty_client_id", p.allow_empty_client_id, flag(),
          "Whether a client id is assigned to clients that give none."),
      key("auto_id_prefix", p.auto_id_prefix, text("guest-"), "What assigned client ids begin with."),
      key("refuse_longer_keep_alive", p.refuses_longer_keep_alive, flag(),
          "Whether 3.1 and 3.1.1 clients that ask for more than max_keep_alive are refused; otherwise they "
          "keep theirs."),
      key("upgrade_qos", p.upgrades_qos, flag(),
          "Deliver with the QoS of the subscription even if the message has a lower one, which the standard "
          "does not provide for."),
      key("max_subscriptions", p.subscriptions_max, number(1, 100'000'000, "1000"),
          "Most subscriptions of one session."),
  };
}

std::vector<Slot> waiting_keys(QueueLimits& q) {
  return {
      key("max_messages", q.messages_max, number(0, 100'000'000, "1000"),
          "Most messages that wait in one queue."),
      key("max_bytes", q.bytes_max, size(0, 1024 * kGiB, "4MiB"),
          "Most bytes that wait in one queue: topics, properties and payloads."),
      key("max_age", q.age_max, duration(0, 3650 * kDay, "1d"),
          "Messages that waited longer are dropped. 0: no limit."),
  };
}

std::vector<Slot> queue_keys(QueueLimits& q) {
  std::vector<Slot> keys = waiting_keys(q);
  keys.push_back(key("overflow", q.overflow, choice(kOverflows),
                     "A full queue drops the new message or the oldest, rejects the publisher, disconnects "
                     "the slow client, or keeps the newest message of each topic."));
  keys.push_back(key("queue_qos0_offline", q.queue_qos0_offline, flag(),
                     "Whether QoS 0 messages also wait for a client that is away."));
  keys.push_back(key("count_payload_only", q.counts_payload_only, flag(),
                     "Count bytes as Mosquitto does: payloads only, and a message is taken while they are "
                     "below the limit."));
  return keys;
}

// QoS 0 goes to a member that is there or nowhere, and no one client of a group is the slow one.
std::vector<Slot> group_queue_keys(QueueLimits& q) {
  std::vector<Slot> keys = waiting_keys(q);
  keys.push_back(key("overflow", q.overflow, choice(std::span(kOverflows).first<kGroupOverflows>()),
                     "A full queue drops the new message or the oldest, or rejects the publisher."));
  return keys;
}

std::vector<Slot> websocket_keys(WebSocketConfig& websocket) {
  return {
      key("origins", websocket.origins, texts("https://plant.example"),
          "Web pages that may connect, such as \"https://plant.example\"; none: all. Programs that are no "
          "browsers are not held back by it."),
      key("max_headers", websocket.headers_bytes_max, size(1 * kKiB, 64 * kKiB, "8KiB"),
          "Largest HTTP header block of a handshake."),
  };
}

std::vector<Slot> proxy_keys(ProxyConfig& proxy) {
  return {
      key("enabled", proxy.is_on, flag(),
          "Whether each connection begins with a PROXY header, version 1 or 2, that says whose it is."),
      key("version", proxy.version, choice(kProxyVersions), "Which version of the header is taken."),
      key("trusted", proxy.trusted, texts("10.0.0.0/8"),
          "Networks of the balancers, such as \"10.0.0.0/8\"; who is in none of them is closed. None: "
          "everybody is believed."),
      key("require_tls", proxy.requires_tls, flag(),
          "Whether the header must say that the client came to the balancer by TLS (version 2)."),
  };
}

std::vector<Slot> auth_keys(AuthConfig& auth) {
  return {
      key("password_file", auth.password_file, text("/etc/nightjar/passwords"),
          "Users with their passwords, one \"user:hash\" a line; \"nightjar passwd\" makes it, Mosquitto's "
          "will do."),
      key("acl_file", auth.acl_file, text("/etc/nightjar/rules.toml"),
          "Who may publish, subscribe and receive what: rules in TOML if the name ends in .toml, else lines "
          "as Mosquitto reads them. None: everybody who is in may do everything."),
      key("mosquitto", auth.is_mosquitto, flag(),
          "Take names as Mosquitto does: where anonymous clients may enter, a user name that nobody proved "
          "counts, and where the user comes from a certificate nothing else lets a client in."),
      key("refuse_unproved_names", auth.refuses_unproved_names, flag(),
          "Where anonymous clients may enter, refuse those with a user name that no password_file proves."),
  };
}

std::vector<Slot> certificate_keys(CertificateFiles& files) {
  return {
      key("certificate", files.certificate, text("/etc/nightjar/server.pem"),
          "PEM file: the server's certificate, then those between it and its authority. It turns TLS on."),
      key("key", files.key, text("/etc/nightjar/server.key"),
          "PEM file: the private key of the certificate, without a pass phrase."),
  };
}

std::vector<Slot> tls_keys(TlsConfig& tls) {
  std::vector<Slot> keys = certificate_keys(tls.files);
  for (Slot& slot : std::vector<Slot>{
           key("profile", tls.profile, choice(kTlsProfiles),
               "\"modern\"; or \"plc\" for controllers: TLS 1.2 with RSA suites too, 30 s for CONNECT, one "
               "message at a time, and packets and bytes on their way that a buffer of 8 KiB holds, unless "
               "other keys say otherwise."),
           key("min_version", tls.min_version, choice(kTlsVersions), "Oldest version of TLS."),
           key("max_version", tls.max_version, choice(kTlsVersions), "Newest version of TLS."),
           key("ciphers", tls.ciphers, text("ECDHE+AESGCM"),
               "Suites of TLS 1.2 in OpenSSL's language; empty: those of the profile."),
           key("ciphers_tls13", tls.ciphers_tls13, text("TLS_AES_256_GCM_SHA384"),
               "Suites of TLS 1.3; empty: OpenSSL's."),
           key("dh_params", tls.dh_params, text("/etc/nightjar/dh.pem"),
               "PEM file: parameters of finite field Diffie-Hellman; empty: as strong as the certificate."),
           key("client_certificate", tls.client_certificate, choice(kClientCertificates),
               "Whether clients show a certificate of theirs."),
           key("client_ca", tls.client_ca, text("/etc/nightjar/clients-ca.pem"),
               "PEM file: the authorities that issue clients' certificates."),
           key("client_ca_dir", tls.client_ca_dir, text("/etc/nightjar/clients-ca"),
               "Directory of authorities that issue clients' certificates, with the names that \"openssl "
               "rehash\" gives."),
           key("crl", tls.crl, text("/etc/nightjar/crl.pem"),
               "PEM file: revocation lists; clients whose certificate, or an authority that it hangs on, is "
               "on "
               "one are refused and disconnected."),
           key("ignore_client_dates", tls.ignores_client_dates, flag(),
               "Whether clients' certificates count before and after their time."),
           key("user_from", tls.user_from, choice(kCertificateUsers),
               "What of a client's certificate is its user name; with a pre-shared key all but \"none\" mean "
               "its identity."),
           key("psk_file", tls.psk_file, text("/etc/nightjar/keys"),
               "File of pre-shared keys, \"identity:hexadecimal key\" a line. It turns TLS on."),
           key("psk_hint", tls.psk_hint, text("plant-7"),
               "What clients of TLS 1.2 are told to choose their key by."),
       }) {
    keys.push_back(std::move(slot));
  }
  return keys;
}

Section section(std::string name, std::string_view meaning, std::vector<Slot> slots,
                std::vector<Section> nested = {}) {
  return {std::move(name), meaning, std::move(slots), std::move(nested), {}};
}

Section tls_section(TlsConfig& tls) {
  static CertificateFiles none;
  Section more = section("more", "A further certificate, chosen by the name that the client asks for (SNI).",
                         certificate_keys(none));
  more.further = [&tls] {
    tls.more.emplace_back();
    return section("more", "", certificate_keys(tls.more.back()));
  };
  return section("tls", "TLS of this listener.", tls_keys(tls), {std::move(more)});
}

}  // namespace

std::vector<Section> sections_of(Config& c) {
  return {
      section("node", "The broker as a whole.", node_keys(c.node, c.process, c.policy)),
      section("limits", "What a listener starts from; each listener may set the same keys for itself.",
              limits_keys(c.limits)),
      section("queue", "The queue of one session, unless its listener says otherwise.",
              queue_keys(c.limits.queue)),
      section("auth", "Who may enter and what he may do there, unless the listener says otherwise.",
              auth_keys(c.auth)),
      section("shared", "Shared subscriptions.",
              {key("strategy", c.policy.shared_strategy, choice(kStrategies),
                   "How a group picks the member for a message.")},
              {section("queue", "The queue of one group.", group_queue_keys(c.policy.shared_queue))}),
      section("sys", "The $SYS topics.",
              {key("interval", c.policy.sys_interval, duration(0, kDay, "1m"),
                   "How often the $SYS topics are published. 0: never.")}),
      section(
          "log", "The log: one line per event.",
          {key("level", c.log.level, choice(kLevels), "Events below this level are left out."),
           key("format", c.log.format, choice(kFormats), "Lines for people, or one JSON object per line."),
           key("destination", c.log.destination, text("/var/log/nightjar/nightjar.log"),
               "\"stderr\", \"stdout\", \"syslog\", \"topic\" (messages below $SYS/broker/log/), \"none\" or "
               "a file to append to."),
           key("time", c.log.has_time, flag(), "Whether text lines begin with the time."),
           key("time_format", c.log.time_format, text("%FT%T%z"),
               "The time of text lines in the language of strftime; down to the millisecond if not given.")}),
  };
}

Section section_of(ListenerConfig& listener) {
  Section found = section(
      "listener", "An address to listen on. Takes every key of [limits] too.",
      {key("name", listener.policy.name, text("lan"),
           "How the log calls the listener; the address and port if not given."),
       key("address", listener.address, text("192.168.1.10"),
           "An IPv4 or IPv6 address, \"localhost\" for both loopback addresses, or \"*\" for all of this "
           "machine."),
       key("port", listener.port, number(1, 65535, "8883"), "TCP port."),
       key("path", listener.unix_path, text("/run/nightjar/mqtt.sock"),
           "Path of a Unix socket, instead of address and port. The peer's user id is known."),
       key("path_mode", listener.unix_mode, mode("0666"),
           "Permissions of the Unix socket: who may write to it may connect."),
       key("protocol", listener.protocol, choice(kProtocols),
           "\"mqtt\", \"websocket\" (MQTT in it), or \"auto\": each connection as its first bytes say; with "
           "a certificate TLS as well."),
       key("interface", listener.interface, text("eth0"),
           "Listen on the addresses of this network interface instead of \"address\"."),
       key("ip", listener.ip, choice(kIpVersions), "Which of an address's IP versions to listen on."),
       key("allow_anonymous", listener.policy.allow_anonymous, flag(),
           "Whether clients without proof of who they are may enter.")},
      {section("queue", "The queue of one session of this listener.", queue_keys(listener.policy.queue)),
       tls_section(listener.tls),
       section("websocket", "MQTT over WebSocket. Any path of the URL is taken.",
               websocket_keys(listener.websocket)),
       section("proxy", "Load balancers in front of this listener that speak the PROXY protocol.",
               proxy_keys(listener.proxy)),
       section("auth", "Who may enter by this listener, and his rules.", auth_keys(listener.auth))});
  for (Slot& slot : limits_keys(listener.policy)) found.slots.push_back(std::move(slot));
  return found;
}

ListenerConfig fresh_listener(const Config& config) {
  ListenerConfig listener;
  listener.policy = config.limits;
  listener.policy.name.clear();
  listener.policy.allow_anonymous = false;
  listener.auth = config.auth;
  return listener;
}

}  // namespace nightjar::config
