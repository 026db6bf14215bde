#include "broker/control.h"

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

void free_spare_memory(Worker& worker) {
  worker.state().routes.clear();
  BlockPool::local().trim();
}

}  // namespace nightjar::broker
