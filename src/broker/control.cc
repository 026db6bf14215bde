#include "broker/control.h"

#include <algorithm>
#include <vector>

#include "base/block_pool.h"
#include "broker/connections.h"
#include "broker/worker.h"
#include "broker/worker_state.h"

namespace nightjar::broker {

bool kick(Worker& worker, std::string_view client_id) {
  WorkerState& state = worker.state();
  const Session* session = state.find_session(client_id);
  if (session == nullptr || session->connection == nullptr) return false;
  close_connection(state, *session->connection,
                   {.code = mqtt::ReasonCode::kAdministrativeAction,
                    .why = "an operator ended the connection",
                    .is_expected = true});
  return true;
}

bool move_shard(Worker& worker, ShardId shard, WorkerIndex to) {
  if (to == worker.index()) return false;
  return worker.state().moves.start(worker.state(), shard, to);
}

void change_queue_limits(Worker& worker, const ListenerPolicy& from, const ListenerPolicy& to) {
  worker.state().sessions.for_each([&](Session& session) {
    if (session.policy == &from) session.policy = &to;
  });
}

std::size_t disconnect_clients_of(Worker& worker, std::string_view listener) {
  WorkerState& state = worker.state();
  std::vector<Connection*> found;
  for (const auto& connection : state.connections) {
    if (connection->policy->name == listener) found.push_back(connection.get());
  }
  for (Connection* connection : found) {
    // One may end with another: its will takes over a shared group's message, and so on.
    if (!connection->is_open()) continue;
    close_connection(state, *connection,
                     {.code = mqtt::ReasonCode::kAdministrativeAction,
                      .why = "the listener was taken out of the configuration",
                      .is_expected = true});
  }
  return found.size();
}

std::size_t count_clients_of(Worker& worker, std::string_view listener) {
  const auto& connections = worker.state().connections;
  return static_cast<std::size_t>(
      std::count_if(connections.begin(), connections.end(),
                    [&](const auto& connection) { return connection->policy->name == listener; }));
}

std::size_t disconnect_unauthorized(Worker& worker,
                                    const std::function<bool(const ClientIdentity&)>& lost_access) {
  WorkerState& state = worker.state();
  std::vector<Connection*> found;
  for (const auto& connection : state.connections) {
    const Session* session = connection->session;
    if (session != nullptr && lost_access({session->client_id, session->user_name, connection->policy->name}))
      found.push_back(connection.get());
  }
  for (Connection* connection : found) {
    if (!connection->is_open()) continue;
    close_connection(
        state, *connection,
        {.code = mqtt::ReasonCode::kNotAuthorized, .why = "its user was removed or given another password"});
  }
  return found.size();
}

void restart_sys_topics(Worker& worker) { start_sys_topics(worker.state()); }

void free_spare_memory(Worker& worker) {
  worker.state().routes.clear();
  BlockPool::local().trim();
}

}  // namespace nightjar::broker
