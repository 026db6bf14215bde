// One function a packet type: what the server does when it comes. Each is in the file of its packet. They run
// on the connection's worker; a violation returned ends the connection with its reason code.
#pragma once

#include <optional>

#include "broker/connection.h"
#include "mqtt/reader.h"

namespace nightjar::broker {
struct WorkerState;
}

namespace nightjar::broker::protocol {

// Nothing, or why the connection must end.
using Outcome = std::optional<mqtt::Violation>;

// connect.cc. Refuses by itself, since CONNACK is the answer and not DISCONNECT.
void on_connect(WorkerState& worker, Connection& connection, const mqtt::Frame& frame);
// A connection whose CONNECT was accepted, on its home worker.
void complete_connect(WorkerState& worker, Connection& connection);
// The rest of it, when the session is stored: CONNACK and what follows.
void finish_connect(WorkerState& worker, Connection& connection);

Outcome on_publish(WorkerState& worker, Connection& connection, const mqtt::Frame& frame);     // publish.cc
Outcome on_puback(WorkerState& worker, Connection& connection, const mqtt::PublishAck& ack);   // puback.cc
Outcome on_pubrec(WorkerState& worker, Connection& connection, const mqtt::PublishAck& ack);   // pubrec.cc
Outcome on_pubrel(WorkerState& worker, Connection& connection, const mqtt::PublishAck& ack);   // pubrel.cc
Outcome on_pubcomp(WorkerState& worker, Connection& connection, const mqtt::PublishAck& ack);  // pubcomp.cc
Outcome on_subscribe(WorkerState& worker, Connection& connection, const mqtt::Frame& frame);   // subscribe.cc
Outcome on_unsubscribe(WorkerState& worker, Connection& connection,
                       const mqtt::Frame& frame);                                           // unsubscribe.cc
Outcome on_pingreq(WorkerState& worker, Connection& connection, const mqtt::Frame& frame);  // pingreq.cc
Outcome on_disconnect(WorkerState& worker, Connection& connection,
                      const mqtt::Frame& frame);                                         // disconnect.cc
Outcome on_auth(WorkerState& worker, Connection& connection, const mqtt::Frame& frame);  // auth.cc

}  // namespace nightjar::broker::protocol
