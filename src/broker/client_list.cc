#include "broker/client_list.h"

#include "broker/worker.h"
#include "broker/worker_state.h"

namespace nightjar::broker {
namespace {

void describe_connection(ClientInfo& info, Connection& connection, MonoTime now) {
  info.is_connected = true;
  info.peer = connection.transport().peer();
  info.version = connection.version;
  info.connected_for = now - connection.connected_at;
  info.keep_alive_s = connection.keep_alive_s;
  info.unsent_bytes = connection.transport().unsent_bytes();
}

ClientInfo describe(const Session& session, MonoTime now) {
  ClientInfo info{.client_id = session.client_id,
                  .user_name = std::string(session.user_name.view()),
                  .listener = session.policy->name,
                  .session_expiry_s = session.expiry_s,
                  .subscriptions = session.subscriptions.size(),
                  .queued = session.outbox.size(),
                  .queued_bytes = session.outbox.bytes(),
                  .in_flight = session.in_flight.size()};
  if (session.drops) info.dropped = *session.drops;
  if (session.connection != nullptr) describe_connection(info, *session.connection, now);
  return info;
}

}  // namespace

std::vector<ClientInfo> clients_of(Worker& worker, ShardId shard) {
  const WorkerState& state = worker.state();
  std::vector<ClientInfo> clients;
  clients.reserve(state.sessions.size(shard));
  state.sessions.for_each(shard,
                          [&](const Session& session) { clients.push_back(describe(session, state.now)); });
  return clients;
}

}  // namespace nightjar::broker
