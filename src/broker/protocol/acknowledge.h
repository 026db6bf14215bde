// PUBACK and PUBREC towards publishers. They leave in order of receipt, each when all targets of its message
// have settled it (rules: 1, 5, 7). Functions of the connection's worker.
#pragma once

#include <cstdint>
#include <string_view>

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
// The message of `place` was routed: `awaited` reports of other workers are still to come.
void acknowledge(WorkerState& worker, Connection& connection, std::uint64_t place, mqtt::PacketType type,
                 mqtt::PacketId id, mqtt::ReasonCode code, std::uint32_t awaited, std::string_view why = {});
// QoS 1 PUBLISH packets received and not acknowledged yet.
std::size_t unacknowledged_qos1(const Connection& connection);
void on_report(WorkerState& worker, const ReportMail& report);
// Before a connection leaves the worker: what is awaited can't be heard any more and counts as settled.
void settle_all(WorkerState& worker, Connection& connection);

}  // namespace nightjar::broker::protocol
