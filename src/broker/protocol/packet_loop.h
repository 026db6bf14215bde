// From bytes to handlers: cuts packets off what a connection received and acts on them in order.
// Functions of the connection's worker.
#pragma once

#include <span>

#include "base/bytes.h"

namespace nightjar::broker {
class Connection;
struct WorkerState;
}  // namespace nightjar::broker

namespace nightjar::broker::protocol {

void receive(WorkerState& worker, Connection& connection, ByteView bytes);
// Where the rest of a large packet that has begun to arrive may be received, so that it is copied once less;
// empty if none has. Valid until the connection receives anything else.
std::span<std::byte> room_for_rest(Connection& connection);
// `count` bytes have been put there.
void receive_rest(WorkerState& worker, Connection& connection, std::size_t count);
// Parses what is unread and starts reading again, at the end of this turn: after a pause for authentication
// or a move.
void resume_later(WorkerState& worker, Connection& connection);
void resume(WorkerState& worker, Connection& connection);

}  // namespace nightjar::broker::protocol
