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

// On the worker's thread. Frees what it holds for speed only: the ways of topics, memory for messages to
// come.
void free_spare_memory(Worker& worker);

}  // namespace nightjar::broker
