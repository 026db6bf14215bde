#include "broker/protocol/authenticate.h"

#include <utility>

#include "base/log.h"
#include "broker/connections.h"
#include "broker/mail.h"
#include "broker/protocol/handlers.h"
#include "broker/protocol/packet_loop.h"
#include "broker/protocol/send_auth.h"
#include "broker/worker_state.h"
#include "mqtt/writer.h"

namespace nightjar::broker::protocol {
namespace {

using mqtt::ReasonCode;

// Longer than any back end should take; a listener's CONNECT timeout does not count the time spent waiting
// here.
constexpr Duration kAuthenticationTimeout = Duration::seconds(30);

// The client id that the listener gives the user `name`, and whether it takes it.
Outcome choose_client_id(Connection& connection, const std::string& name) {
  const ListenerPolicy& policy = *connection.policy;
  std::string& client_id = connection.connect->client_id;
  if (policy.client_id_is_user_name) {
    if (name.empty()) {
      return mqtt::Violation{ReasonCode::kNotAuthorized,
                             "no user name to be called by (client_id_is_user_name)"};
    }
    client_id = name;
  }
  if (client_id.starts_with(policy.client_id_prefix)) return {};
  return mqtt::Violation{ReasonCode::kNotAuthorized,
                         "the client id does not begin as it has to (client_id_prefix)"};
}

// Whoever guesses passwords fills the log with a few lines a second, not with thousands.
void log_refusal(WorkerState& worker, Connection& connection, const AuthVerdict& verdict) {
  constexpr std::uint32_t kLinesPerSecond = 10;
  const bool is_new_second = worker.now - worker.refusals_since >= Duration::seconds(1);
  if (is_new_second) {
    worker.refusals_since = worker.now;
    if (worker.refusals > kLinesPerSecond) {
      log::warn("more logins refused", {{"count", std::to_string(worker.refusals - kLinesPerSecond)}});
    }
    worker.refusals = 0;
  }
  if (++worker.refusals > kLinesPerSecond) return;
  const PendingConnect& request = *connection.connect;
  log::warn("login refused", {{"client", request.client_id},
                              {"user", request.user_name},
                              {"peer", connection.transport().peer()},
                              {"reason", verdict.reason}});
}

}  // namespace

void begin_authentication(WorkerState& worker, Connection& connection) {
  const PendingConnect& request = *connection.connect;
  connection.exchange = worker.node.ports().authenticator.open(request.auth_method);
  if (!connection.exchange) {
    refuse_connection(worker, connection, ReasonCode::kBadAuthenticationMethod,
                      "unknown authentication method");
    return;
  }
  connection.state = Connection::State::kAuthenticating;
  worker.timers.arm(connection.timer, worker.now + kAuthenticationTimeout);
  connection.exchange->start(
      {.client_id = request.client_id,
       .has_user_name = request.has_user_name,
       .user_name = request.user_name,
       .has_password = request.has_password,
       .password = as_bytes(request.password),
       .method = request.auth_method,
       .data = as_bytes(request.auth_data),
       .peer = connection.transport().peer(),
       .proof = connection.transport().proof(),
       .listener = connection.policy->name,
       .listener_allows_anonymous = connection.policy->allow_anonymous,
       .worker = worker.index},
      [&connection](AuthVerdict verdict) { on_verdict(connection, std::move(verdict)); });
  if (connection.state == Connection::State::kAuthenticating) {
    connection.transport().pause_reading();  // nothing more is read while the answer is pending (rules: 16)
  } else {
    connection.exchange.reset();  // answered at once
  }
}

void on_verdict(Connection& connection, AuthVerdict verdict) {
  if (!connection.is_open()) return;
  WorkerState& worker = *connection.worker;
  PendingConnect& request = *connection.connect;
  switch (verdict.kind) {
    case AuthVerdict::Kind::kRefuse:
      log_refusal(worker, connection, verdict);
      refuse_connection(worker, connection, verdict.code, verdict.reason);
      return;
    case AuthVerdict::Kind::kContinue:
      send_auth(worker, connection, ReasonCode::kContinueAuthentication, verdict.data);
      // The client's AUTH is the only packet that may follow (auth.cc); it is read like a stranger's.
      connection.is_awaiting_auth = true;
      resume_later(worker, connection);
      return;
    case AuthVerdict::Kind::kAllow:
      break;
  }
  connection.is_awaiting_auth = false;
  // Who may enter without proof is called what it says.
  const std::string name = verdict.user_name.empty() ? request.user_name : verdict.user_name;
  request.user_name = std::move(verdict.user_name);
  request.auth_data = std::move(verdict.data);
  if (!verdict.client_id.empty() && verdict.client_id != request.client_id) {
    request.client_id = verdict.client_id;
    request.is_id_assigned = true;
  }
  request.password.clear();
  if (const Outcome refusal = choose_client_id(connection, name)) {
    return refuse_connection(worker, connection, refusal->code, refusal->why);
  }
  go_home(worker, connection);
}

void go_home(WorkerState& worker, Connection& connection) {
  if (worker.drain.has_begun()) {
    refuse_connection(worker, connection, ReasonCode::kServerUnavailable, "the broker is shutting down");
    return;
  }
  PendingConnect& request = *connection.connect;
  request.ordinal = worker.node.next_ordinal();
  connection.state = Connection::State::kGoingHome;
  const ShardId shard = worker.node.shard_of(request.client_id);
  const WorkerIndex home = worker.node.owner_of(shard);
  if (home == worker.index && worker.moves.is_ready(shard)) {
    complete_connect(worker, connection);
    if (connection.state == Connection::State::kConnected) resume_later(worker, connection);
    return;
  }
  if (home != worker.index) ++worker.counters.migrations;
  count_stranger_bytes(worker, connection, 0);
  AddressedMail mail{.shard = shard, .content = ConnectionMail{release_connection(worker, connection)}};
  worker.mailer.post(home, std::move(mail));
}

}  // namespace nightjar::broker::protocol
