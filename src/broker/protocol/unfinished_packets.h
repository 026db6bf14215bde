// Packets of clients that have arrived in part. Each may be as large as the listener allows; what all of them
// hold together has a budget of the node (rules: 21). Functions of the connection's worker.
#pragma once

namespace nightjar::broker {
class Connection;
struct WorkerState;
}  // namespace nightjar::broker

namespace nightjar::broker::protocol {

// After bytes of a connected client were taken in. Above the budget, transfers of this worker that have come
// to a standstill are ended first, and if that does not help, this one.
void count_unfinished(WorkerState& worker, Connection& connection);
// The connection holds nothing any more.
void forget_unfinished(WorkerState& worker, Connection& connection);

}  // namespace nightjar::broker::protocol
