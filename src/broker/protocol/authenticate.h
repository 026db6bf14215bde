// Who is it: the exchange with the Authenticator port, and the way home that follows it. Functions of the
// connection's worker.
#pragma once

#include "broker/ports.h"

namespace nightjar::broker {
class Connection;
struct WorkerState;
}  // namespace nightjar::broker

namespace nightjar::broker::protocol {

// Starts with what CONNECT brought (Connection::connect).
void begin_authentication(WorkerState& worker, Connection& connection);
// The port's answer to CONNECT or to an AUTH that belongs to it.
void on_verdict(Connection& connection, AuthVerdict verdict);
// Sends an accepted connection to the worker of its effective client id, which completes the CONNECT.
void go_home(WorkerState& worker, Connection& connection);

}  // namespace nightjar::broker::protocol
