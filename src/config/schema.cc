#include "config/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <type_traits>
#include <utility>

#include "broker/ids.h"
#include "config/units.h"

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
constexpr std::string_view kStrategies[] = {"least-in-flight", "round-robin", "sticky", "hash-by-client",
                                            "hash-by-topic"};
constexpr std::string_view kPlacements[] = {"spread", "adaptive"};
constexpr std::string_view kDurabilities[] = {"fsync", "os", "memory"};
constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};
constexpr std::string_view kIpVersions[] = {"both", "4", "6"};
constexpr std::string_view kFormats[] = {"text", "json"};
constexpr std::string_view kProtocols[] = {"mqtt", "websocket", "auto"};

constexpr Shape flag() { return {.kind = Kind::kBool}; }
constexpr Shape text() { return {.kind = Kind::kText}; }
constexpr Shape texts() { return {.kind = Kind::kTexts}; }
constexpr Shape mode() { return {.kind = Kind::kMode}; }
constexpr Shape number(std::int64_t min, std::int64_t max) {
  return {.kind = Kind::kNumber, .min = min, .max = max};
}
constexpr Shape size(std::int64_t min, std::int64_t max) {
  return {.kind = Kind::kSize, .min = min, .max = max};
}
constexpr Shape duration(std::int64_t min, std::int64_t max) {
  return {.kind = Kind::kDuration, .min = min, .max = max};
}
constexpr Shape whole_seconds(std::int64_t min, std::int64_t max, std::int64_t never = 0) {
  return {.kind = Kind::kDuration, .min = min, .max = max, .step = kSecond, .never = never};
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
      key("data", node.data_dir, text(),
          "Directory of everything that outlives a start; one broker at a time uses it."),
      key("durability", node.durability, choice(kDurabilities),
          "What an acknowledgement promises: \"fsync\": what it confirms survives a power cut; \"os\": the "
          "broker may "
          "be killed; \"memory\": a restart forgets everything."),
      key("workers", node.workers, number(0, broker::kWorkersMax),
          "Threads that serve clients; 0 means one per core."),
      key("pid_file", process.pid_file, text(), "File that holds the process id while the broker runs."),
      key("user", process.user, text(),
          "Who the broker becomes when root starts it, once everything is open."),
      key("placement", policy.placement, choice(kPlacements),
          "\"adaptive\": clients are served by one worker until it is busy, then by more; \"spread\": by all "
          "workers "
          "from the start."),
      key("shards", policy.shards, number(1, 4096),
          "Parts that clients are divided into; a power of two and not fewer than workers."),
      key("max_retained_messages", policy.retained_messages_max, number(0, 1'000'000'000),
          "Retained messages kept; a further topic is refused with 0x97."),
      key("max_retained_bytes", policy.retained_bytes_max, size(0, 1024 * kGiB),
          "Topics, properties and payloads of all retained messages."),
      key("max_connections", policy.connections_max, number(0, 100'000'000),
          "Connections open at a time on all listeners together. 0: no limit."),
      key("max_sessions", policy.sessions_max, number(0, 1'000'000'000),
          "Sessions, connected or kept; a client that would need one more is refused. 0: no limit."),
      key("log_connections", policy.logs_connections, flag(),
          "Whether a line is logged when a client comes and when it goes."),
      key("max_stranger_bytes", policy.strangers_bytes_max, size(64 * kKiB, 64 * kGiB),
          "Bytes that connections may hold together before their CONNECT is accepted."),
      key("max_unfinished_bytes", policy.unfinished_bytes_max, size(kMiB, 1024 * kGiB),
          "Bytes of larger packets that clients may hold together while parts are still to come."),
  };
}

std::vector<Slot> limits_keys(ListenerPolicy& p) {
  return {
      key("connect_timeout", p.connect_timeout, duration(100, 300 * kSecond),
          "A connection that has not completed CONNECT by then is closed."),
      key("max_connect_size", p.connect_bytes_max, size(1 * kKiB, kPacketMax), "Largest CONNECT packet."),
      key("max_packet_size", p.packet_bytes_max, size(1 * kKiB, kPacketMax),
          "Largest packet a client may send; told to 5.0 clients as Maximum Packet Size."),
      key("receive_maximum", p.receive_maximum, number(1, 65535),
          "QoS 1 and 2 messages that a 5.0 client may have unacknowledged towards the broker."),
      key("max_inflight", p.inflight_max, number(1, 65535),
          "QoS 1 and 2 messages unacknowledged towards a client, at most its own Receive Maximum."),
      key("max_inflight_bytes", p.inflight_bytes_max, size(64 * kKiB, 16 * kGiB),
          "Bytes of these messages; a single larger message still passes."),
      key("topic_alias_maximum", p.topic_alias_maximum, number(0, 65535),
          "Topic aliases that a 5.0 client may set."),
      key("topic_alias_maximum_out", p.topic_alias_maximum_out, number(0, 65535),
          "Topic aliases used towards a client, at most what it allows."),
      key("max_keep_alive", p.keep_alive_max_s, whole_seconds(0, 65535 * kSecond),
          "Longest Keep Alive; a 5.0 client that asks for more, or for none, is told this one. 0: no limit."),
      key("max_session_expiry", p.session_expiry_max_s,
          whole_seconds(0, 0xFFFFFFFE * kSecond, 0xFFFFFFFF * kSecond),
          "Longest Session Expiry Interval; also ends sessions of 3.1 and 3.1.1 clients that are away "
          "longer."),
      key("max_output_bytes", p.output_bytes_max, size(64 * kKiB, 16 * kGiB),
          "Unsent bytes that a connection may hold. Above it QoS 0 is dropped and QoS 1 and 2 wait in the "
          "queue."),
      key("maximum_qos", p.maximum_qos, number(0, 2), "Highest QoS that a client may publish with."),
      key("retain_available", p.retain_available, flag(), "Whether clients may publish retained messages."),
      key("wildcard_subscription_available", p.wildcard_subscription_available, flag(),
          "Whether filters may contain + and #."),
      key("subscription_identifier_available", p.subscription_identifier_available, flag(),
          "Whether 5.0 clients may give their subscriptions an identifier."),
      key("shared_subscription_available", p.shared_subscription_available, flag(),
          "Whether $share/ is served."),
      key("max_topic_levels", p.topic_levels_max, number(1, 65535), "Levels of a topic or a filter."),
      key("max_payload_size", p.payload_bytes_max, size(0, kPacketMax),
          "Largest payload of a PUBLISH; a larger one is acknowledged and dropped, a 5.0 client is told "
          "0x83. 0: "
          "as the packet allows."),
      key("max_connections", p.connections_max, number(0, 100'000'000),
          "Connections open at a time; further ones are closed at once. 0: no limit."),
      key("mount_point", p.mount_point, text(),
          "Stands in front of every topic and filter of the clients, and is taken off what they receive."),
      key("accept_3_1", p.accepts_v31, flag(), "Whether MQTT 3.1 clients may enter."),
      key("accept_3_1_1", p.accepts_v311, flag(), "Whether MQTT 3.1.1 clients may enter."),
      key("accept_5_0", p.accepts_v5, flag(), "Whether MQTT 5.0 clients may enter."),
      key("client_id_prefix", p.client_id_prefix, text(), "Client ids that do not begin so are refused."),
      key("client_id_is_user_name", p.client_id_is_user_name, flag(),
          "Whether the user name is the client id, whatever CONNECT says; without one nobody enters."),
      key("allow_empty_client_id", p.allow_empty_client_id, flag(),
          "Whether a client id is assigned to clients that give none."),
      key("auto_id_prefix", p.auto_id_prefix, text(), "What assigned client ids begin with."),
      key("refuse_longer_keep_alive", p.refuses_longer_keep_alive, flag(),
          "Whether 3.1 and 3.1.1 clients that ask for more than max_keep_alive are refused; otherwise they "
          "keep "
          "theirs."),
      key("upgrade_qos", p.upgrades_qos, flag(),
          "Deliver with the QoS of the subscription even if the message has a lower one, which the standard "
          "does "
          "not provide for."),
      key("max_subscriptions", p.subscriptions_max, number(1, 100'000'000), "Subscriptions of one session."),
  };
}

std::vector<Slot> queue_keys(QueueLimits& q) {
  return {
      key("max_messages", q.messages_max, number(0, 100'000'000), "Messages that wait for one session."),
      key("max_bytes", q.bytes_max, size(0, 1024 * kGiB),
          "Topics, properties and payloads of these messages."),
      key("max_age", q.age_max, duration(0, 3650 * kDay),
          "Messages that waited longer are dropped. 0: no limit."),
      key("overflow", q.overflow, choice(kOverflows),
          "A full queue drops the new message or the oldest, rejects the publisher, disconnects the slow "
          "client, or "
          "keeps the newest message of each topic."),
      key("queue_qos0_offline", q.queue_qos0_offline, flag(),
          "Whether QoS 0 messages also wait for a client that is away."),
  };
}

std::vector<Slot> websocket_keys(WebSocketConfig& websocket) {
  return {
      key("origins", websocket.origins, texts(),
          "Web pages that may connect, such as \"https://plant.example\"; none: all. Programs that are no "
          "browsers "
          "are not held back by it."),
      key("max_headers", websocket.headers_bytes_max, size(1 * kKiB, 64 * kKiB),
          "Largest HTTP header block of a handshake."),
  };
}

std::vector<Slot> proxy_keys(ProxyConfig& proxy) {
  return {
      key("enabled", proxy.is_on, flag(),
          "Whether each connection begins with a PROXY header, version 1 or 2, that says whose it is."),
      key("trusted", proxy.trusted, texts(),
          "Networks of the balancers, such as \"10.0.0.0/8\"; who is in none of them is closed. None: "
          "everybody is believed."),
      key("require_tls", proxy.requires_tls, flag(),
          "Whether the header must say that the client came to the balancer by TLS (version 2)."),
  };
}

std::vector<Slot> auth_keys(AuthConfig& auth) {
  return {
      key("password_file", auth.password_file, text(),
          "Users with their passwords, one \"user:hash\" a line; \"nightjar passwd\" makes it, Mosquitto's "
          "will do."),
      key("acl_file", auth.acl_file, text(),
          "Who may publish, subscribe and receive what: rules in TOML if the name ends in .toml, else lines "
          "as "
          "Mosquitto reads them. None: everybody who is in may do everything."),
  };
}

Section section(std::string name, std::string_view meaning, std::vector<Slot> slots,
                std::vector<Section> nested = {}) {
  return {std::move(name), meaning, std::move(slots), std::move(nested)};
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
              {section("queue", "The queue of one group.", queue_keys(c.policy.shared_queue))}),
      section("sys", "The $SYS topics.",
              {key("interval", c.policy.sys_interval, duration(0, kDay),
                   "How often they are published. 0: never.")}),
      section(
          "log", "The log: one line per event.",
          {key("level", c.log.level, choice(kLevels), "Events below this level are left out."),
           key("format", c.log.format, choice(kFormats), "Lines for people, or one JSON object per line."),
           key("destination", c.log.destination, text(),
               "\"stderr\", \"stdout\", \"syslog\", \"none\" or a file to append to."),
           key("time", c.log.has_time, flag(), "Whether text lines begin with the time."),
           key("time_format", c.log.time_format, text(),
               "The time of text lines in the language of strftime; down to the millisecond if not given.")}),
  };
}

Section section_of(ListenerConfig& listener) {
  Section found = section(
      "listener", "An address to listen on. Takes every key of [limits] too.",
      {key("name", listener.policy.name, text(), "How the log calls it; the address and port if not given."),
       key("address", listener.address, text(),
           "An IPv4 or IPv6 address, \"localhost\" for both loopback addresses, or \"*\" for all of this "
           "machine."),
       key("port", listener.port, number(1, 65535), "TCP port."),
       key("path", listener.unix_path, text(),
           "Path of a Unix socket, instead of address and port. The peer's user id is known."),
       key("path_mode", listener.unix_mode, mode(),
           "Permissions of that socket: who may write to it may connect."),
       key("protocol", listener.protocol, choice(kProtocols),
           "\"mqtt\", \"websocket\" (MQTT in it), or \"auto\": each connection as its first bytes say; with "
           "a "
           "certificate TLS as well."),
       key("interface", listener.interface, text(),
           "Listen on the addresses of this network interface instead of \"address\"."),
       key("ip", listener.ip, choice(kIpVersions), "Which of an address's IP versions to listen on."),
       key("allow_anonymous", listener.policy.allow_anonymous, flag(),
           "Whether clients without proof of who they are may enter.")},
      {section("queue", "The queue of one session of this listener.", queue_keys(listener.policy.queue)),
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

std::string describe(const Shape& shape) {
  switch (shape.kind) {
    case Kind::kBool:
      return "true or false";
    case Kind::kText:
      return "a string";
    case Kind::kTexts:
      return "an array of strings";
    case Kind::kMode:
      return "permissions in octal digits, such as \"0660\"";
    case Kind::kChoice:
      return fmt::format("one of \"{}\"", fmt::join(shape.choices, "\", \""));
    case Kind::kNumber:
      return fmt::format("a number from {} to {}", shape.min, shape.max);
    case Kind::kSize:
      return fmt::format("a size from {} to {}", format_size(shape.min), format_size(shape.max));
    case Kind::kDuration:
      break;
  }
  return fmt::format("a duration from {} to {}{}{}", format_duration(shape.min), format_duration(shape.max),
                     shape.step == kSecond ? " in whole seconds" : "",
                     shape.never != 0 ? ", or \"never\"" : "");
}

std::string to_toml(const Shape& shape, const Value& value) {
  switch (shape.kind) {
    case Kind::kBool:
      return std::get<bool>(value) ? "true" : "false";
    case Kind::kText:
      return fmt::format("\"{}\"", std::get<std::string>(value));
    case Kind::kTexts: {
      const auto& list = std::get<std::vector<std::string>>(value);
      return list.empty() ? "[]" : fmt::format("[\"{}\"]", fmt::join(list, "\", \""));
    }
    case Kind::kMode:
      return fmt::format("\"{:04o}\"", std::get<std::int64_t>(value));
    case Kind::kChoice:
      return fmt::format("\"{}\"", shape.choices[static_cast<std::size_t>(std::get<std::int64_t>(value))]);
    case Kind::kNumber:
      return fmt::format("{}", std::get<std::int64_t>(value));
    case Kind::kSize:
      return fmt::format("\"{}\"", format_size(std::get<std::int64_t>(value)));
    case Kind::kDuration:
      break;
  }
  const std::int64_t ms = std::get<std::int64_t>(value);
  if (shape.never != 0 && ms == shape.never) return "\"never\"";
  return ms == 0 ? "0" : fmt::format("\"{}\"", format_duration(ms));
}

}  // namespace nightjar::config
