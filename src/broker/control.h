// What an operator asks of a running worker. Each runs as a task on that worker.
#pragma once

#include <string_view>

#include "broker/ids.h"

namespace nightjar::broker {

class Worker;

// Ends the connection of a client, with 0x98 to a 5.0 client; its will is published. False if no client of
// that id is connected to this worker, its home.
bool kick(Worker& worker, std::string_view client_id);

// Begins to move a shard of this worker to another one. False if this worker does not own it, or is moving
// it.
bool move_shard(Worker& worker, ShardId shard, WorkerIndex to);

// Frees what is remembered of the ways of topics; what is needed of it is worked out again.
void forget_routes(Worker& worker);

}  // namespace nightjar::broker
