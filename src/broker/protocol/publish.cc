// PUBLISH from a client: alias, limits, authorization; then retained store, routing, acknowledgement
// (section 3.3).
#include <functional>

#include "base/log.h"
#include "broker/message_source.h"
#include "broker/mount_point.h"
#include "broker/protocol/acknowledge.h"
#include "broker/protocol/forwarded_properties.h"
#include "broker/protocol/handlers.h"
#include "broker/routing/router.h"
#include "broker/worker_state.h"
#include "mqtt/topic.h"

namespace nightjar::broker::protocol {
namespace {

using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;

// Sets the alias, or looks it up and fills in the topic [section 3.3.2.3.4].
Outcome resolve_alias(Connection& connection, mqtt::Publish& packet) {
  if (!connection.is_v5() || !packet.properties.has(PropertyId::kTopicAlias)) return {};
  const std::uint16_t alias = packet.properties.topic_alias;
  if (alias == 0 || alias > connection.policy->topic_alias_maximum) {
    return mqtt::Violation{ReasonCode::kTopicAliasInvalid,
                           "Topic Alias 0 or above the maximum [MQTT-3.3.2-9]"};
  }
  if (!connection.incoming_aliases)
    connection.incoming_aliases = std::make_unique<std::vector<std::string>>();
  auto& aliases = *connection.incoming_aliases;
  if (!packet.topic.empty()) {
    if (aliases.size() < alias) aliases.resize(alias);
    aliases[alias - 1U] = packet.topic;
  } else if (aliases.size() < alias || aliases[alias - 1U].empty()) {
    return mqtt::Violation{ReasonCode::kProtocolError, "Topic Alias that was never set [MQTT-3.3.2-12]"};
  } else {
    packet.topic = aliases[alias - 1U];
  }
  return {};
}

Outcome check_against_policy(const Connection& connection, const mqtt::Publish& packet) {
  const ListenerPolicy& policy = *connection.policy;
  if (connection.is_v5() && packet.properties.has(PropertyId::kSubscriptionIdentifier)) {
    return mqtt::Violation{ReasonCode::kProtocolError,
                           "Subscription Identifier from a client [MQTT-3.3.4-6]"};
  }
  if (packet.qos > policy.maximum_qos) {
    return mqtt::Violation{ReasonCode::kQosNotSupported, "QoS above the Maximum QoS [MQTT-3.2.2-11]"};
  }
  if (packet.retain && !policy.retain_available) {
    return mqtt::Violation{ReasonCode::kRetainNotSupported,
                           "retained message where retain is off [MQTT-3.2.2-14]"};
  }
  return {};
}

// The broker knows the topic behind the mount point of the listener.
Outcome mount_topic(WorkerState& worker, const Connection& connection, mqtt::Publish& packet) {
  worker.mounted_topic = connection.policy->mount_point;
  worker.mounted_topic += packet.topic;
  if (worker.mounted_topic.size() > kTopicBytesMax) {
    return mqtt::Violation{ReasonCode::kTopicNameInvalid, "topic too long behind the mount point"};
  }
  packet.topic = worker.mounted_topic;
  return {};
}

// A server limit or rule against this one message; the connection goes on where the version can say so.
struct Refusal {
  ReasonCode code = ReasonCode::kSuccess;
  std::string_view why;
  bool is_dropped = false;  // 3.x: acknowledged and gone
};

Refusal check_topic(WorkerState& worker, const Connection& connection, const mqtt::Publish& packet,
                    const Route* known) {
  if (packet.topic.starts_with("$SYS/"))
    return {ReasonCode::kNotAuthorized, "$SYS is the broker's own", true};
  const std::size_t levels = known != nullptr ? known->levels : mqtt::level_count(packet.topic);
  if (levels > connection.policy->topic_levels_max) {
    return {ReasonCode::kTopicNameInvalid,
            "topic with more levels than the listener takes (max_topic_levels)"};
  }
  const Session& session = *connection.session;
  const ClientIdentity who{session.client_id, session.user_name, connection.policy->name};
  if (!worker.node.ports().authorizer.may_publish(who, packet.topic, packet.qos, packet.retain)) {
    return {ReasonCode::kNotAuthorized, "topic denied", true};
  }
  const std::uint32_t payload_bytes_max = connection.policy->payload_bytes_max;
  if (payload_bytes_max != 0 && packet.payload.size() > payload_bytes_max) {
    return {ReasonCode::kImplementationSpecificError,
            "payload larger than the listener takes (max_payload_size)", true};
  }
  return {};
}

Message::Parts message_parts(WorkerState& worker, const Connection& connection, const mqtt::Publish& packet) {
  Message::Parts parts{.topic = packet.topic,
                       .payload = packet.payload,
                       .qos = packet.qos,
                       .retain = packet.retain,
                       .origin = connection.session->client_id_hash};
  if (packet.retain && worker.node.policy().checks_retained_source) {
    const Session& session = *connection.session;
    write_source({session.client_id, session.user_name, connection.policy->name}, worker.source);
    parts.source = worker.source;
  }
  if (connection.is_v5() && !packet.properties.empty()) {
    worker.forwarded.clear();
    append_forwarded(worker.forwarded, packet.properties);
    parts.properties = worker.forwarded.view();
    if (packet.properties.has(PropertyId::kMessageExpiryInterval)) {
      parts.expires = worker.now + Duration::seconds(packet.properties.message_expiry_interval_s);
    }
  }
  return parts;
}

constexpr std::string_view kRetainedFull =
    "the limit of retained messages is reached (max_retained_messages, max_retained_bytes)";

struct Published {
  ReasonCode code;
  bool is_routed = false;
  std::uint32_t awaited = 0;
  std::string_view why{};  // of an error; a literal
};

Published publish(WorkerState& worker, Connection& connection, const mqtt::Publish& packet, Route* known,
                  std::uint64_t place) {
  Publication publication{message_parts(worker, connection, packet)};
  const bool is_retained = packet.retain && worker.node.retained().store(publication.message());
  if (is_retained) worker.journal.retained_changed(packet.topic, packet.qos != Qos::kAtMostOnce);
  if (packet.retain && !is_retained) {
    log::warn("message not retained", {{"client", connection.session->client_id},
                                       {"topic", std::string{packet.topic}},
                                       {"why", std::string{kRetainedFull}}});
    // At QoS 0 a server may discard the retained copy at any time [section 3.3.1.3]; the others get theirs.
    if (packet.qos != Qos::kAtMostOnce) return {.code = ReasonCode::kQuotaExceeded, .why = kRetainedFull};
  }
  const bool wants_reports = place != 0 && worker.node.awaits_reports();
  const RouteOutcome outcome =
      route(worker, publication, known,
            wants_reports ? ReportTo{.worker = worker.index, .connection = connection.serial, .ack = place}
                          : ReportTo{});
  if (!outcome.is_matched)
    return {connection.is_v5() ? ReasonCode::kNoMatchingSubscribers : ReasonCode::kSuccess, true};
  return {outcome.code, true, outcome.awaited,
          outcome.code == ReasonCode::kQuotaExceeded ? kQueueFull : std::string_view{}};
}

// A message that the server does not take. 3.x has no word for it: a denied message is acknowledged and
// dropped, as section 3.3.5 of 3.1.1 allows; one that breaks a limit ends the connection, which loses nothing
// silently.
Outcome refuse(WorkerState& worker, Connection& connection, const mqtt::Publish& packet,
               const Refusal& refusal) {
  ++worker.counters.publish_refused;
  log::debug("publish refused", {{"client", connection.session->client_id},
                                 {"topic", std::string{packet.topic}},
                                 {"why", std::string{refusal.why}}});
  if (packet.qos == Qos::kAtMostOnce) {
    return refusal.is_dropped ? Outcome{} : Outcome{mqtt::Violation{refusal.code, refusal.why}};
  }
  if (!connection.is_v5() && !refusal.is_dropped) return mqtt::Violation{refusal.code, refusal.why};
  const auto type = packet.qos == Qos::kAtLeastOnce ? mqtt::PacketType::kPuback : mqtt::PacketType::kPubrec;
  acknowledge(worker, connection, next_place(connection), type, packet.packet_id, refusal.code, {},
              refusal.why);
  return {};
}

void log_publish(const Connection& connection, const mqtt::Publish& packet) {
  if (!log::enabled(log::Level::kDebug)) [[likely]]
    return;
  log::debug("publish", {{"client", connection.session->client_id},
                         {"topic", std::string{packet.topic}},
                         {"qos", std::to_string(static_cast<int>(packet.qos))},
                         {"retain", packet.retain ? "1" : "0"},
                         {"bytes", std::to_string(packet.payload.size())}});
}

constexpr std::string_view kCannotStore = "the store takes nothing at present: its disk is full or fails";

// The store takes nothing, and the message or its packet id would need it (rules: 7).
bool cannot_be_stored(WorkerState& worker, const Connection& connection, const mqtt::Publish& packet,
                      Route* known) {
  if (packet.qos == Qos::kAtMostOnce || !worker.node.ports().store.is_refusing()) return false;
  const bool has_kept_id = packet.qos == Qos::kExactlyOnce && connection.session->stored;
  return has_kept_id || packet.retain || needs_store(worker, packet.topic, known);
}

// QoS 1 and 2 messages of this connection that have not been acknowledged to the end.
std::size_t in_flight_from(const Connection& connection) {
  return connection.session->incoming_ids.size() - connection.earlier_ids.size() +
         unacknowledged_qos1(connection);
}

}  // namespace

Outcome on_publish(WorkerState& worker, Connection& connection, const mqtt::Frame& frame) {
  Route* known = connection.is_mounted ? nullptr : known_route(worker, mqtt::peek_topic(frame));
  mqtt::Publish& packet = worker.publish;
  const auto topic_check = known != nullptr ? mqtt::TopicCheck::kIsValid : mqtt::TopicCheck::kIsNeeded;
  if (const auto read = mqtt::read_publish(frame, connection.version, topic_check, packet); !read)
    return read.error();
  ++worker.counters.publish_received;
  worker.count_work(connection.session->shard);
  worker.counters.publish_bytes_received += packet.payload.size();
  if (Outcome outcome = resolve_alias(connection, packet)) return outcome;
  if (Outcome outcome = check_against_policy(connection, packet)) return outcome;
  if (connection.is_mounted) {
    if (Outcome outcome = mount_topic(worker, connection, packet)) return outcome;
  }
  log_publish(connection, packet);

  Session& session = *connection.session;
  const bool is_known = packet.qos == Qos::kExactlyOnce && session.incoming_ids.contains(packet.packet_id);
  const bool is_counted = is_known && !connection.earlier_ids.contains(packet.packet_id);
  if (packet.qos != Qos::kAtMostOnce && !is_counted && connection.is_v5() &&
      in_flight_from(connection) >= connection.policy->receive_maximum) {
    return mqtt::Violation{ReasonCode::kReceiveMaximumExceeded,
                           "more PUBLISH in flight than Receive Maximum [MQTT-3.3.4-9]"};
  }
  if (is_known) {
    connection.earlier_ids.erase(packet.packet_id);
    // Sent again: it was routed the first time [MQTT-4.3.3-10].
    acknowledge(worker, connection, next_place(connection), mqtt::PacketType::kPubrec, packet.packet_id,
                ReasonCode::kSuccess, {.commit = worker.journal.latest()});
    return {};
  }
  if (const Refusal refusal = check_topic(worker, connection, packet, known);
      refusal.code != ReasonCode::kSuccess) {
    return refuse(worker, connection, packet, refusal);
  }
  if (cannot_be_stored(worker, connection, packet, known)) {
    return refuse(worker, connection, packet, {ReasonCode::kQuotaExceeded, kCannotStore});
  }
  if (packet.qos == Qos::kAtMostOnce) {
    publish(worker, connection, packet, known, 0);
    return {};
  }
  const std::uint64_t changes = worker.journal.count();
  if (packet.qos == Qos::kExactlyOnce) {
    session.incoming_ids.insert(packet.packet_id);
    worker.journal.touch(session, true);
  }
  const std::uint64_t place = next_place(connection);
  const Published published = publish(worker, connection, packet, known, place);
  if (published.code == ReasonCode::kQuotaExceeded && !published.is_routed) {
    ++worker.counters.publish_refused;
    // 3.x has no word for "no space": what is not stored is not acknowledged either (rules: 7).
    if (!connection.is_v5()) {
      session.incoming_ids.erase(packet.packet_id);
      worker.journal.touch(session, true);
      return mqtt::Violation{published.code, published.why};
    }
  }
  const auto type = packet.qos == Qos::kAtLeastOnce ? mqtt::PacketType::kPuback : mqtt::PacketType::kPubrec;
  const bool is_refused = static_cast<std::uint8_t>(published.code) >= 0x80;
  if (is_refused && packet.qos == Qos::kExactlyOnce) free_refused_id(worker, connection, packet.packet_id);
  const CommitNumber commit = worker.journal.count() != changes ? worker.journal.turn() : 0;
  acknowledge(worker, connection, place, type, packet.packet_id, published.code,
              {.awaited = published.awaited, .commit = commit}, published.why);
  return {};
}

}  // namespace nightjar::broker::protocol
