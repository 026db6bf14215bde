#include "broker/control.h"

#include <algorithm>
#include <utility>
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

void judge_connections(Worker& worker,
                       const std::function<std::optional<Farewell>(const PresentClient&)>& judge) {
  WorkerState& state = worker.state();
  std::vector<std::pair<Connection*, Farewell>> found;
  for (const auto& connection : state.connections) {
    if (!connection->is_open()) continue;
    const Session* const session = connection->session;
    PresentClient client{.who = {.listener = connection->policy->name},
                         .proof = connection->transport().proof(),
                         .policy = *connection->policy};
    if (session != nullptr) {
      client.who.client_id = session->client_id;
      client.who.user_name = session->user_name;
      client.ordinal = session->ordinal;
    }
    if (const auto farewell = judge(client)) found.emplace_back(connection.get(), *farewell);
  }
  for (const auto& [connection, farewell] : found) {
    // One may end with another: its will takes over a shared group's message, and so on.
    if (!connection->is_open()) continue;
    close_connection(state, *connection,
                     {.code = farewell.code, .why = farewell.why, .is_expected = farewell.is_expected});
  }
}

void rename_listener(Worker& worker, const ListenerPolicy& from, const ListenerPolicy& to) {
  WorkerState& state = worker.state();
  for (const auto& connection : state.connections) {
    if (connection->policy != &from) continue;
    connection->policy = &to;
    if (!connection->is_counted) continue;
    ConnectionCounts& counts = state.node.connections();
    counts.leave(from);
    connection->is_counted =
        counts.enter(to, state.node.policy().connections_max) != ConnectionCounts::Answer::kNotCounted;
  }
  change_queue_limits(worker, from, to);
}

std::optional<std::size_t> judge_peers(Worker& worker, std::size_t from, std::size_t count,
                                       const std::function<std::string_view(const Peer&)>& judge) {
  WorkerState& state = worker.state();
  const std::size_t end = std::min(state.connections.size(), from + count);
  std::vector<std::pair<Connection*, std::string_view>> to_go;
  for (std::size_t i = from; i < end; ++i) {
    Connection& connection = *state.connections[i];
    const PeerProof* const proof = connection.is_open() ? connection.transport().proof() : nullptr;
    if (proof == nullptr) continue;
    const std::string_view client_id =
        connection.session != nullptr ? std::string_view{connection.session->client_id} : std::string_view{};
    const std::string_view why = judge({client_id, connection.policy->name, *proof});
    if (!why.empty()) to_go.emplace_back(&connection, why);
  }
  for (const auto& [connection, why] : to_go) {
    if (!connection->is_open()) continue;  // it ended with another one
    close_connection(state, *connection, {.code = mqtt::ReasonCode::kNotAuthorized, .why = why});
  }
  // Those that went made room for others at their numbers.
  const std::size_t next = end - std::min(end, to_go.size());
  if (end <= from || next >= state.connections.size()) return std::nullopt;
  return next;
}

void restart_sys_topics(Worker& worker) { start_sys_topics(worker.state()); }

void free_spare_memory(Worker& worker) {
  worker.state().routes.clear();
  BlockPool::local().trim();
}

}  // namespace nightjar::broker
