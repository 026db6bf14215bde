// AUTH: the further steps of an enhanced authentication, and re-authentication (sections 3.15 and 4.12).
#include "broker/connections.h"
#include "broker/protocol/authenticate.h"
#include "broker/protocol/handlers.h"
#include "broker/protocol/send_auth.h"
#include "broker/send_packet.h"
#include "broker/worker_state.h"
#include "mqtt/writer.h"

namespace nightjar::broker::protocol {
namespace {

using mqtt::PropertyId;
using mqtt::ReasonCode;

// The port's answer while the client is connected already.
void on_reauthentication(Connection& connection, const AuthVerdict& verdict) {
  if (connection.state != Connection::State::kConnected) return;
  WorkerState& worker = *connection.worker;
  connection.is_answer_pending = false;
  switch (verdict.kind) {
    case AuthVerdict::Kind::kContinue:
      send_auth(worker, connection, ReasonCode::kContinueAuthentication, verdict.data);
      return;
    case AuthVerdict::Kind::kAllow:
      connection.is_authenticating_again = false;
      send_auth(worker, connection, ReasonCode::kSuccess, verdict.data);
      return;
    case AuthVerdict::Kind::kRefuse:
      // Not every code of CONNACK may stand in DISCONNECT.
      worker.to_close.push_back(
          {&connection,
           mqtt::is_allowed(verdict.code, mqtt::PacketType::kDisconnect, mqtt::Sender::kServer)
               ? verdict.code
               : ReasonCode::kNotAuthorized,
           "re-authentication failed"});
      return;
  }
}

Outcome reauthenticate(WorkerState& worker, Connection& connection, const mqtt::Auth& packet) {
  const ByteView data = packet.properties.has(PropertyId::kAuthenticationData)
                            ? packet.properties.authentication_data
                            : ByteView{};
  const auto answer = [&connection](const AuthVerdict& verdict) { on_reauthentication(connection, verdict); };
  if (connection.is_answer_pending) {
    return mqtt::Violation{ReasonCode::kProtocolError, "AUTH before the answer to the one before"};
  }
  if (packet.code == ReasonCode::kContinueAuthentication) {
    if (!connection.is_authenticating_again) {
      return mqtt::Violation{ReasonCode::kProtocolError, "AUTH continues nothing [section 4.12.1]"};
    }
    connection.is_answer_pending = true;
    connection.exchange->proceed(data, answer);
    return {};
  }
  connection.exchange = worker.node.ports().authenticator.open(connection.auth_method);
  if (!connection.exchange) {
    return mqtt::Violation{ReasonCode::kBadAuthenticationMethod, "unknown authentication method"};
  }
  connection.is_authenticating_again = connection.is_answer_pending = true;
  connection.exchange->start({.client_id = connection.session->client_id,
                              .method = connection.auth_method,
                              .data = data,
                              .peer = connection.transport().peer(),
                              .listener = connection.policy->name,
                              .listener_allows_anonymous = connection.policy->allow_anonymous,
                              .worker = worker.index},
                             answer);
  return {};
}

}  // namespace

void send_auth(WorkerState& worker, Connection& connection, ReasonCode code, std::string_view data) {
  ByteBuffer properties;
  mqtt::PropertyWriter writer{properties};
  writer.text(PropertyId::kAuthenticationMethod, connection.auth_method);
  if (!data.empty()) writer.binary(PropertyId::kAuthenticationData, as_bytes(data));
  send_packet(worker, connection, {},
              [&](ByteBuffer& output, ByteView) { mqtt::write_auth(output, code, properties.view()); });
}

Outcome on_auth(WorkerState& worker, Connection& connection, const mqtt::Frame& frame) {
  const auto packet = mqtt::read_auth(frame, connection.version);
  if (!packet) return packet.error();
  if (connection.auth_method.empty()) {
    return mqtt::Violation{ReasonCode::kProtocolError,
                           "AUTH without an Authentication Method in CONNECT [MQTT-4.12.0-6]"};
  }
  const bool same_method = packet->properties.has(PropertyId::kAuthenticationMethod) &&
                           packet->properties.authentication_method == connection.auth_method;
  if (!same_method) {
    return mqtt::Violation{ReasonCode::kProtocolError,
                           "AUTH with another Authentication Method [MQTT-4.12.0-5]"};
  }
  if (connection.state == Connection::State::kConnected) {
    if (packet->code == ReasonCode::kSuccess) {
      return mqtt::Violation{ReasonCode::kProtocolError, "AUTH 0x00 is for the server to send"};
    }
    return reauthenticate(worker, connection, *packet);
  }
  if (packet->code != ReasonCode::kContinueAuthentication) {
    return mqtt::Violation{ReasonCode::kProtocolError, "AUTH before CONNACK must continue [MQTT-4.12.0-3]"};
  }
  connection.is_awaiting_auth = false;
  connection.transport().pause_reading();
  const ByteView data = packet->properties.has(PropertyId::kAuthenticationData)
                            ? packet->properties.authentication_data
                            : ByteView{};
  connection.exchange->proceed(
      data, [&connection](AuthVerdict verdict) { on_verdict(connection, std::move(verdict)); });
  return {};
}

}  // namespace nightjar::broker::protocol
