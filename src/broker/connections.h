// The connections of one worker: coming, leaving for another worker, closing. Functions of that worker.
#pragma once

#include <memory>
#include <string_view>

#include "broker/connection.h"
#include "mqtt/reason_code.h"

namespace nightjar::broker {

struct WorkerState;

// Puts a connection under this worker and its transport into the worker's event loop.
Connection& adopt_connection(WorkerState& worker, std::unique_ptr<Connection> connection);
// The reverse: nothing of the connection stays behind; its transport is detached.
std::unique_ptr<Connection> release_connection(WorkerState& worker, Connection& connection);

struct Close {
  mqtt::ReasonCode code = mqtt::ReasonCode::kSuccess;  // sent to a 5.0 client in DISCONNECT if 0x80 or more
  std::string_view why;                                // the cause, for the log and the Reason String
  bool discards_will = false;                          // the client said DISCONNECT 0x00
  bool is_expected = false;                            // not worth a warning
};
// Ends a connection: DISCONNECT where the standard has one, the log line, the session's share of it. The
// Connection stays valid memory until the end of the turn.
void close_connection(WorkerState& worker, Connection& connection, const Close& close);

// Refuses a CONNECT: CONNACK in the words of its version (if it has a word for it), then close.
void refuse_connection(WorkerState& worker, Connection& connection, mqtt::ReasonCode code,
                       std::string_view why);

// CONNECT timeout and keep alive.
void on_connection_timer(WorkerState& worker, Connection& connection);
void arm_keep_alive(WorkerState& worker, Connection& connection);

// Keeps the strangers' budget: what a connection without an accepted CONNECT holds now.
void count_stranger_bytes(WorkerState& worker, Connection& connection, std::size_t bytes);

}  // namespace nightjar::broker
