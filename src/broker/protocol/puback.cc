// PUBACK from a client: the end of a QoS 1 delivery (section 3.4).
#include "broker/protocol/handlers.h"
#include "broker/session/delivery.h"
#include "broker/worker_state.h"

namespace nightjar::broker::protocol {

Outcome on_puback(WorkerState& worker, Connection& connection, const mqtt::PublishAck& ack) {
  Session& session = *connection.session;
  InFlight::Entry* entry = session.in_flight.find(ack.packet_id);
  // Unknown ids are harmless: an acknowledgement that crossed a reconnect.
  if (entry == nullptr) return {};
  if (entry->delivery.qos != mqtt::Qos::kAtLeastOnce) {
    return mqtt::Violation{mqtt::ReasonCode::kProtocolError, "PUBACK for a QoS 2 message"};
  }
  settle(worker, session, *entry, ack.code);
  finish(worker, session, *entry);
  return {};
}

}  // namespace nightjar::broker::protocol
