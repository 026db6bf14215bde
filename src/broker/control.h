// What an operator asks of a running worker. Each runs as a task on that worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "broker/ids.h"
#include "broker/policy.h"
#include "broker/ports.h"
#include "mqtt/reason_code.h"

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

// A connection as it stands, for who decides whether it may stay.
struct PresentClient {
  ClientIdentity who;                // without a client id before CONNECT was accepted
  const PeerProof* proof = nullptr;  // null: nothing is known
  const ListenerPolicy& policy;      // it came by the listener that had this one then
  std::uint64_t ordinal = 0;         // of its CONNECT (Node::next_ordinal)
};
// What a connection is ended with: the code for a 5.0 client, the cause for it and for the log.
struct Farewell {
  mqtt::ReasonCode code = mqtt::ReasonCode::kAdministrativeAction;
  std::string_view why;  // outlives the worker
  bool is_expected = false;
};
// Shows every connection of this worker to `judge`, then ends those that got a farewell; their wills are
// published.
void judge_connections(Worker& worker,
                       const std::function<std::optional<Farewell>(const PresentClient&)>& judge);

// From now on connections and sessions with the policy `from` have `to`, which differs in its name only: the
// listener is called so now. `to` outlives the worker.
void rename_listener(Worker& worker, const ListenerPolicy& from, const ListenerPolicy& to);

// A connection whose other end has proven something about itself.
struct Peer {
  std::string_view client_id;  // empty before CONNECT
  std::string_view listener;
  const PeerProof& proof;
};
// Looks at up to `count` connections of this worker, from the one with the number `from` on. `judge` says why
// a peer has to go (0x87 to a 5.0 client; its will is published), or nothing; that text outlives the call.
// Returns where to go on; nothing at the end.
std::optional<std::size_t> judge_peers(Worker& worker, std::size_t from, std::size_t count,
                                       const std::function<std::string_view(const Peer&)>& judge);

// After Node::change_policy, on the first worker: $SYS topics come as often as it says.
void restart_sys_topics(Worker& worker);

// On the worker's thread. Frees what it holds for speed only: the ways of topics, memory for messages to
// come.
void free_spare_memory(Worker& worker);

}  // namespace nightjar::broker
