// CONNECT: read, check against the listener's policy, authenticate (authenticate.h), go to the home worker,
// open the session there and answer with CONNACK (sections 3.1 and 3.2).
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "broker/connections.h"
#include "broker/mount_point.h"
#include "broker/protocol/authenticate.h"
#include "broker/protocol/forwarded_properties.h"
#include "broker/protocol/handlers.h"
#include "broker/protocol/packet_loop.h"
#include "broker/routing/group_member.h"
#include "broker/send_packet.h"
#include "broker/session/delivery.h"
#include "broker/session/lifecycle.h"
#include "broker/worker_state.h"
#include "mqtt/topic.h"
#include "mqtt/writer.h"

namespace nightjar::broker::protocol {
namespace {

using mqtt::PropertyId;
using mqtt::ReasonCode;
using mqtt::Version;

void refuse_unreadable(WorkerState& worker, Connection& connection, const mqtt::Frame& frame,
                       const mqtt::Violation& violation) {
  const bool is_structural =
      violation.code == ReasonCode::kMalformedPacket || violation.code == ReasonCode::kProtocolError;
  ++worker.counters.protocol_errors;
  if (is_structural && !connection.is_v5()) {
    // 3.x closes without CONNACK on what it cannot read [MQTT-3.1.4-1].
    close_connection(worker, connection, {.code = violation.code, .why = violation.why, .is_expected = true});
  } else {
    connection.packet_bytes_max = mqtt::announced_packet_bytes_max(frame);
    refuse_connection(worker, connection, violation.code, violation.why);
  }
}

Outcome check_will(const mqtt::Connect& packet, const ListenerPolicy& policy) {
  if (!packet.has_will) return {};
  if (packet.will.qos > policy.maximum_qos) {
    return mqtt::Violation{ReasonCode::kQosNotSupported, "will QoS above the Maximum QoS [MQTT-3.2.2-12]"};
  }
  if (packet.will.retain && !policy.retain_available) {
    return mqtt::Violation{ReasonCode::kRetainNotSupported,
                           "retained will where retain is off [MQTT-3.2.2-13]"};
  }
  if (policy.payload_bytes_max != 0 && packet.will.payload.size() > policy.payload_bytes_max) {
    return mqtt::Violation{ReasonCode::kPacketTooLarge,
                           "will payload larger than the listener takes (max_payload_size)"};
  }
  if (packet.will.topic.starts_with("$SYS/") ||
      policy.mount_point.size() + packet.will.topic.size() > kTopicBytesMax ||
      mqtt::level_count(packet.will.topic) > policy.topic_levels_max) {
    return mqtt::Violation{ReasonCode::kTopicNameInvalid, "will topic not accepted by this server"};
  }
  return {};
}

Outcome check_version(const mqtt::Connect& packet, const ListenerPolicy& policy) {
  const bool is_accepted = packet.version == Version::k5     ? policy.accepts_v5
                           : packet.version == Version::k311 ? policy.accepts_v311
                                                             : policy.accepts_v31;
  if (is_accepted) return {};
  return mqtt::Violation{ReasonCode::kUnsupportedProtocolVersion, "the listener does not take this version"};
}

// A 3.x client cannot be told of a shorter Keep Alive.
Outcome check_keep_alive(const mqtt::Connect& packet, const ListenerPolicy& policy) {
  const std::uint16_t maximum = policy.keep_alive_max_s;
  if (packet.version == Version::k5 || !policy.refuses_longer_keep_alive || maximum == 0) return {};
  if (packet.keep_alive_s != 0 && packet.keep_alive_s <= maximum) return {};
  return mqtt::Violation{ReasonCode::kClientIdentifierNotValid,
                         "its Keep Alive is longer than the listener allows (max_keep_alive)"};
}

Outcome check_client_id(const mqtt::Connect& packet, const ListenerPolicy& policy) {
  if (!packet.client_id.empty()) return {};
  if (!policy.allow_empty_client_id && !policy.client_id_is_user_name) {
    return mqtt::Violation{ReasonCode::kClientIdentifierNotValid,
                           "the listener does not assign client ids (allow_empty_client_id = false)"};
  }
  if (packet.version == Version::k31) {
    return mqtt::Violation{ReasonCode::kClientIdentifierNotValid,
                           "MQTT 3.1 needs a client id of 1 to 23 characters"};
  }
  if (packet.version == Version::k311 && !packet.clean_start) {
    return mqtt::Violation{ReasonCode::kClientIdentifierNotValid,
                           "an empty client id needs Clean Session 1 [MQTT-3.1.3-8]"};
  }
  return {};
}

std::unique_ptr<Will> copy_will(const mqtt::Connect& packet, const ListenerPolicy& policy) {
  if (!packet.has_will) return nullptr;
  auto will = std::make_unique<Will>();
  will->topic = policy.mount_point;
  will->topic += packet.will.topic;
  will->payload = as_text(packet.will.payload);
  will->qos = packet.will.qos;
  will->retain = packet.will.retain;
  if (packet.version != Version::k5) return will;
  const mqtt::Properties& properties = packet.will.properties;
  will->has_expiry = properties.has(PropertyId::kMessageExpiryInterval);
  if (will->has_expiry) will->expiry_s = properties.message_expiry_interval_s;
  if (properties.has(PropertyId::kWillDelayInterval)) will->delay_s = properties.will_delay_interval_s;
  ByteBuffer travelling;
  append_forwarded(travelling, properties);
  will->properties = as_text(travelling.view());
  return will;
}

std::unique_ptr<PendingConnect> copy_request(WorkerState& worker, const mqtt::Connect& packet,
                                             const ListenerPolicy& policy) {
  auto request = std::make_unique<PendingConnect>();
  request->client_id = packet.client_id;
  if (packet.client_id.empty()) {
    // Assigned ids are unguessable: who knows a client id can take over its session.
    Entropy& entropy = worker.node.ports().entropy;
    request->client_id =
        fmt::format("{}{:016x}{:016x}", policy.auto_id_prefix, entropy.next(), entropy.next());
    request->is_id_assigned = true;
  }
  request->clean_start = packet.clean_start;
  request->keep_alive_s = packet.keep_alive_s;
  request->has_user_name = packet.has_user_name;
  request->user_name = packet.user_name;
  request->has_password = packet.has_password;
  request->password = as_text(packet.password);
  request->will = copy_will(packet, policy);
  if (packet.version != Version::k5) {
    request->expiry_s = packet.clean_start ? 0 : kExpiryNever;
    return request;
  }
  const mqtt::Properties& properties = packet.properties;
  if (properties.has(PropertyId::kSessionExpiryInterval))
    request->expiry_s = properties.session_expiry_interval_s;
  if (properties.has(PropertyId::kAuthenticationMethod))
    request->auth_method = properties.authentication_method;
  if (properties.has(PropertyId::kAuthenticationData))
    request->auth_data = as_text(properties.authentication_data);
  return request;
}

void take_client_limits(Connection& connection, const mqtt::Properties& properties) {
  if (properties.has(PropertyId::kReceiveMaximum)) connection.receive_maximum = properties.receive_maximum;
  if (properties.has(PropertyId::kMaximumPacketSize))
    connection.packet_bytes_max = properties.maximum_packet_size;
  if (properties.has(PropertyId::kRequestProblemInformation)) {
    connection.wants_problem_information = properties.request_problem_information != 0;
  }
  if (properties.has(PropertyId::kTopicAliasMaximum) && properties.topic_alias_maximum != 0) {
    const auto maximum = std::min(properties.topic_alias_maximum, connection.policy->topic_alias_maximum_out);
    if (maximum != 0) connection.outgoing_aliases = std::make_unique<OutgoingAliases>(maximum);
  }
}

// What the server decided otherwise than the client asked, or offers less of than the standard's default.
ByteBuffer connack_properties(const Connection& connection, const Session& session,
                              const PendingConnect& request) {
  ByteBuffer out;
  mqtt::PropertyWriter writer{out};
  const ListenerPolicy& policy = *connection.policy;
  if (session.expiry_s != request.expiry_s) writer.u32(PropertyId::kSessionExpiryInterval, session.expiry_s);
  if (policy.receive_maximum != mqtt::kReceiveMaximumDefault) {
    writer.u16(PropertyId::kReceiveMaximum, policy.receive_maximum);
  }
  if (policy.maximum_qos != mqtt::Qos::kExactlyOnce) {
    writer.u8(PropertyId::kMaximumQos, static_cast<std::uint8_t>(policy.maximum_qos));
  }
  if (!policy.retain_available) writer.u8(PropertyId::kRetainAvailable, 0);
  writer.u32(PropertyId::kMaximumPacketSize, policy.packet_bytes_max);
  if (request.is_id_assigned) writer.text(PropertyId::kAssignedClientIdentifier, session.client_id);
  if (policy.topic_alias_maximum != 0) writer.u16(PropertyId::kTopicAliasMaximum, policy.topic_alias_maximum);
  if (!policy.wildcard_subscription_available) writer.u8(PropertyId::kWildcardSubscriptionAvailable, 0);
  if (!policy.subscription_identifier_available) writer.u8(PropertyId::kSubscriptionIdentifierAvailable, 0);
  if (!policy.shared_subscription_available) writer.u8(PropertyId::kSharedSubscriptionAvailable, 0);
  if (connection.keep_alive_s != request.keep_alive_s) {
    writer.u16(PropertyId::kServerKeepAlive, connection.keep_alive_s);
  }
  if (!request.auth_method.empty()) {
    writer.text(PropertyId::kAuthenticationMethod, request.auth_method);
    if (!request.auth_data.empty())
      writer.binary(PropertyId::kAuthenticationData, as_bytes(request.auth_data));
  }
  return out;
}

// The listener's longest keep alive holds for 5.0 clients, which are told of it [MQTT-3.2.2-21]; a 3.x client
// could not know and keeps its own.
std::uint16_t effective_keep_alive(const Connection& connection, const PendingConnect& request) {
  const std::uint16_t maximum = connection.policy->keep_alive_max_s;
  const bool is_longer = request.keep_alive_s == 0 || request.keep_alive_s > maximum;
  return connection.is_v5() && maximum != 0 && is_longer ? maximum : request.keep_alive_s;
}

void log_connected(const WorkerState& worker, const Connection& connection, const Session& session,
                   bool is_present) {
  if (!log::enabled(log::Level::kInfo) || !worker.node.policy().logs_connections) return;
  log::info("client connected", {{"client", session.client_id},
                                 {"peer", const_cast<Connection&>(connection).transport().peer()},
                                 {"version", connection.is_v5()                    ? "5.0"
                                             : connection.version == Version::k311 ? "3.1.1"
                                                                                   : "3.1"},
                                 {"keep_alive", std::to_string(connection.keep_alive_s)},
                                 {"session", is_present ? "resumed" : "new"}});
}

// A CONNECT whose client id is served for a later one. 0x8E stands in DISCONNECT only, which may not come
// before CONNACK, so 5.0 gets the code for what no other says; 3.x has none and closes [MQTT-3.2.2-6].
void refuse_overtaken(WorkerState& worker, Connection& connection) {
  constexpr std::string_view kWhy = "a later CONNECT of the same client id came first";
  if (connection.is_v5()) {
    refuse_connection(worker, connection, ReasonCode::kUnspecifiedError, kWhy);
  } else {
    close_connection(worker, connection, {.code = ReasonCode::kSessionTakenOver, .why = kWhy});
  }
}

// False if a CONNECT that came later is already served: this one is too late to evict it (rules: 17).
bool take_over(WorkerState& worker, Connection& connection) {
  Session* session = worker.find_session(connection.connect->client_id);
  if (session == nullptr || session->connection == nullptr) return true;
  if (session->ordinal > connection.connect->ordinal) {
    refuse_overtaken(worker, connection);
    return false;
  }
  ++worker.counters.takeovers;
  if (session->connection->state == Connection::State::kOpening) {
    refuse_overtaken(worker, *session->connection);
    return true;
  }
  close_connection(worker, *session->connection,
                   {.code = ReasonCode::kSessionTakenOver,
                    .why = "another connection of the same client id took over [MQTT-3.1.4-3]",
                    .is_expected = true});
  return true;
}

// A session that outlives its connection is kept; one that does not is forgotten, if it was.
void store_session(WorkerState& worker, Session& session, const Will* will) {
  if (!worker.journal.is_on()) return;
  // What the store alone has would be gone with it: then it stays until the session ends.
  if (!session.is_clean() || session.outbox.spilled() != nullptr) {
    worker.journal.keep(session, will);
  } else if (session.stored) {
    worker.journal.forget_session(session);
    session.outbox.forget_stored();
    session.in_flight.forget_stored();
  }
}

bool has_too_many_sessions(WorkerState& worker, const PendingConnect& request) {
  const std::uint32_t most = worker.node.policy().sessions_max;
  return most != 0 && worker.node.sessions().load(std::memory_order_relaxed) >= std::int64_t{most} &&
         worker.find_session(request.client_id) == nullptr;
}

}  // namespace

void on_connect(WorkerState& worker, Connection& connection, const mqtt::Frame& frame) {
  const auto packet = mqtt::read_connect(frame, connection.version);
  if (!packet) return refuse_unreadable(worker, connection, frame, packet.error());
  connection.version = packet->version;
  connection.is_bridge = packet->is_bridge;
  connection.packet_bytes_max = connection.policy->packet_bytes_max_out;
  if (connection.is_v5()) take_client_limits(connection, packet->properties);
  Outcome refusal = check_version(*packet, *connection.policy);
  if (!refusal) refusal = check_keep_alive(*packet, *connection.policy);
  if (!refusal) refusal = check_client_id(*packet, *connection.policy);
  if (!refusal) refusal = check_will(*packet, *connection.policy);
  if (refusal) return refuse_connection(worker, connection, refusal->code, refusal->why);
  const bool has_empty_method = connection.is_v5() &&
                                packet->properties.has(PropertyId::kAuthenticationMethod) &&
                                packet->properties.authentication_method.empty();
  if (has_empty_method) {
    refuse_connection(worker, connection, ReasonCode::kBadAuthenticationMethod,
                      "empty authentication method");
    return;
  }
  connection.connect = copy_request(worker, *packet, *connection.policy);
  connection.connect->bytes = frame.size;
  connection.auth_method = connection.connect->auth_method;
  begin_authentication(worker, connection);
}

void complete_connect(WorkerState& worker, Connection& connection) {
  const bool would_be_kept =
      std::min(connection.connect->expiry_s, connection.policy->session_expiry_max_s) != 0;
  if (would_be_kept && worker.node.ports().store.is_refusing()) {
    return refuse_connection(worker, connection, ReasonCode::kServerUnavailable,
                             "the session cannot be stored: the disk is full or fails");
  }
  if (has_too_many_sessions(worker, *connection.connect)) {
    return refuse_connection(worker, connection,
                             connection.is_v5() ? ReasonCode::kQuotaExceeded : ReasonCode::kServerUnavailable,
                             "the broker has all the sessions that it may have (max_sessions)");
  }
  if (!take_over(worker, connection)) return;
  const std::uint64_t changes = worker.journal.count();
  const PendingConnect* const request = connection.connect.get();
  const Opened opened = open_session(worker, request->client_id, request->clean_start, *connection.policy);
  Session& session = *opened.session;
  session.connection = &connection;
  session.ordinal = request->ordinal;
  session.expiry_s = std::min(request->expiry_s, connection.policy->session_expiry_max_s);
  session.user_name = request->user_name;
  session.drops_logged = {INT64_MIN};
  connection.earlier_ids = session.incoming_ids;
  connection.session = &session;
  connection.is_session_present = opened.is_present;
  connection.keep_alive_s = effective_keep_alive(connection, *request);
  connection.last_received = worker.now;
  count_stranger_bytes(worker, connection, 0);
  ++worker.counters.clients_connected;
  store_session(worker, session, request->will.get());
  if (worker.journal.count() == changes) return finish_connect(worker, connection);
  connection.state = Connection::State::kOpening;
  connection.opening = worker.journal.turn();
  connection.transport().pause_reading();
  worker.timers.arm(connection.timer, worker.now + connection.policy->connect_timeout);
  // So that nothing is sent in front of CONNACK.
  session.resend = std::make_unique<boost::container::deque<Unsent>>();
  worker.journal.wait(connection, connection.opening);
}

void finish_connect(WorkerState& worker, Connection& connection) {
  if (!worker.journal.is_durable(connection.opening)) return;
  const bool was_opening = connection.state == Connection::State::kOpening;
  const std::unique_ptr<PendingConnect> request = std::move(connection.connect);
  Session& session = *connection.session;
  connection.state = Connection::State::kConnected;
  connection.last_received = worker.now;
  arm_keep_alive(worker, connection);
  const ByteBuffer properties =
      connection.is_v5() ? connack_properties(connection, session, *request) : ByteBuffer{};
  const bool is_sent = send_packet(worker, connection, {}, [&](ByteBuffer& output, ByteView) {
    mqtt::write_connack(output, connection.version, connection.is_session_present, ReasonCode::kSuccess,
                        properties.view());
  });
  if (!is_sent) {
    // Without a code: no DISCONNECT may come before CONNACK [MQTT-3.2.0-1].
    close_connection(worker, connection, {.why = "CONNACK exceeds its Maximum Packet Size [MQTT-3.1.2-24]"});
    return;
  }
  session.will = std::move(request->will);  // armed from here on
  log_connected(worker, connection, session, connection.is_session_present);
  groups_online(worker, session);
  begin_resend(worker, session);
  if (was_opening) resume_later(worker, connection);
}

}  // namespace nightjar::broker::protocol
