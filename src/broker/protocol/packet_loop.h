// From bytes to handlers: cuts packets off what a connection received and acts on them in order.
// Functions of the connection's worker.
#pragma once

#include "base/bytes.h"

namespace nightjar::broker {
class Connection;
struct WorkerState;
}  // namespace nightjar::broker

namespace nightjar::broker::protocol {

void receive(WorkerState& worker, Connection& connection, ByteView bytes);
// Parses what is unread and starts reading again, at the end of this turn: after a pause for authentication
// or a move.
void resume_later(WorkerState& worker, Connection& connection);
void resume(WorkerState& worker, Connection& connection);

}  // namespace nightjar::broker::protocol
