// What an operator asks of a running worker. Each runs as a task on that worker.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "broker/ids.h"
#include "broker/policy.h"
#include "broker/ports.h"

namespace nightjar::broker {

class Worker;

// Ends the connection of a client, with 0x98 to a 5.0 client; its will is published. False if no client of
// that id is connected to this worker, its home.
bool kick(Worker& worker, std::string_view client_id);

// Begins to move a shard of this worker to another one. False if this worker does not own it, or is moving
// it.
bool move_shard(Worker& worker, ShardId shard, WorkerIndex to);

// From now on clients that came by a listener with the policy `from` have the limits of `to` for what waits
// for them; what they were told at CONNECT holds until they connect again. Both outlive the worker.
void change_queue_limits(Worker& worker, const ListenerPolicy& from, const ListenerPolicy& to);

// Ends the connections that came by a listener of that name, as kick() does; how many they were.
std::size_t disconnect_clients_of(Worker& worker, std::string_view listener);
[[nodiscard]] std::size_t count_clients_of(Worker& worker, std::string_view listener);

// Ends the connections of clients that may no longer be here, with 0x87; how many they were.
std::size_t disconnect_unauthorized(Worker& worker,
                                    const std::function<bool(const ClientIdentity&)>& lost_access);

// After Node::change_policy, on the first worker: $SYS topics come as often as it says.
void restart_sys_topics(Worker& worker);

// On the worker's thread. Frees what it holds for speed only: the ways of topics, memory for messages to
// come.
void free_spare_memory(Worker& worker);

}  // namespace nightjar::broker
