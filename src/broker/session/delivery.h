// From a session's queues to its connection: windows, output room, redelivery, retained replay, drops.
// Functions of the session's home worker.
#pragma once

#include "broker/counters.h"
#include "broker/publication.h"
#include "broker/session/outbox.h"
#include "broker/session/receiver.h"
#include "mqtt/reason_code.h"

namespace nightjar::broker {

class Connection;
class Session;
struct Assignment;
struct WorkerState;

// Hands one message to a session: written at once if nothing is in front of it, else queued, else dropped and
// counted. Answers kQuotaExceeded if the queue is full and its policy is to refuse the publisher. The caller
// has counted the copy into the ledger (routed or taken_over).
mqtt::ReasonCode deliver(WorkerState& worker, Session& session, Delivery delivery);
// The same for a message that is being routed: what can be written at once is copied from the packet that
// another receiver got.
// `is_last`: nobody needs the publication afterwards. `assignment`: of the shared group that waits to hear
// what becomes of it.
mqtt::ReasonCode deliver(WorkerState& worker, Publication& publication, const Receiver& receiver,
                         bool is_last, const Assignment* assignment = nullptr);

// Sends what may be sent now, in this order: what the present connection must get again, retained replays,
// the outbox.
void pump(WorkerState& worker, Session& session);

// Counts a copy that will not arrive, and tells the shared group that waits for it.
void drop(WorkerState& worker, Session& session, const Delivery& delivery, DropReason reason);

// The client is done with an entry (PUBACK, PUBCOMP, PUBREC with an error): frees the packet id and the
// window.
void finish(WorkerState& worker, Session& session, InFlight::Entry& entry);
// PUBACK, PUBREC: the client has the message, or answered with an error, which discards it [MQTT-4.8.2-6].
void settle(WorkerState& worker, Session& session, InFlight::Entry& entry, mqtt::ReasonCode code);

// After CONNACK: everything unacknowledged is to be sent again, in order.
void begin_resend(WorkerState& worker, Session& session);

}  // namespace nightjar::broker
