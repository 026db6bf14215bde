// SUBACK and UNSUBACK that wait for shared groups, or for the store. Functions of the connection's worker.
#pragma once

#include <cstdint>

namespace nightjar::broker {
class Connection;
struct PendingSuback;
struct WorkerState;
}  // namespace nightjar::broker

namespace nightjar::broker::protocol {

// The owner of a group has done what `operation` asked for.
void on_group_answer(WorkerState& worker, Connection& connection, std::uint32_t operation);
// A commit is durable: sends those that waited for it only.
void answer_committed(WorkerState& worker, Connection& connection);
// Sends SUBACK or UNSUBACK if nothing is awaited, else keeps it until then.
void answer_when_complete(WorkerState& worker, Connection& connection, PendingSuback answer);

}  // namespace nightjar::broker::protocol
