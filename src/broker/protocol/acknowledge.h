// PUBACK, PUBREC, PUBREL and PUBCOMP. They leave in order of receipt, each when all targets of its message
// have settled it and what it confirms is durable (rules: 1, 3, 5, 7). Functions of the connection's worker.
#pragma once

#include <cstdint>
#include <string_view>

#include "broker/durable/commit.h"
#include "broker/mail.h"
#include "mqtt/types.h"

namespace nightjar::broker {
class Connection;
struct WorkerState;
}  // namespace nightjar::broker

namespace nightjar::broker::protocol {

// Why a target reports kQuotaExceeded.
inline constexpr std::string_view kQueueFull = "the queue of a receiver is full (overflow = \"reject\")";

// Reserves the next place in the order of acknowledgements.
std::uint64_t next_place(Connection& connection);
// `why` explains an error to a 5.0 client: a string literal; without it the name of the code does.
// The message of `place` was routed: `awaited` reports of other workers are still to come, and `commit` of
// this worker must be durable.
struct Confirmed {
  std::uint32_t awaited = 0;
  CommitNumber commit = 0;
};
void acknowledge(WorkerState& worker, Connection& connection, std::uint64_t place, mqtt::PacketType type,
                 mqtt::PacketId id, mqtt::ReasonCode code, Confirmed when, std::string_view why = {});
// A commit is durable that the connection waits for: its CONNACK, its acknowledgements.
void on_committed(WorkerState& worker, Connection& connection);
// What the connection waits for are commits of the worker that it came from, whose numbers mean nothing here,
// until it can wait for one of this worker that follows all of those. It goes on with on_committed().
void wait_for_arrival(Connection& connection);
void end_wait_for_arrival(WorkerState& worker, Connection& connection, CommitNumber after);
// A PUBREC with an error ends the exchange: the packet id is free again [MQTT-4.3.3-9]. True if that has to
// be durable before it is said.
bool free_refused_id(WorkerState& worker, Connection& connection, mqtt::PacketId id);
// QoS 1 PUBLISH packets received and not acknowledged yet.
std::size_t unacknowledged_qos1(const Connection& connection);
void on_report(WorkerState& worker, const ReportMail& report);
// Before a connection leaves the worker: what is awaited can't be heard any more and counts as settled.
void settle_all(WorkerState& worker, Connection& connection);

}  // namespace nightjar::broker::protocol
