// PUBCOMP from a client: the end of a QoS 2 delivery (section 3.7).
#include "broker/protocol/handlers.h"
#include "broker/session/delivery.h"
#include "broker/worker_state.h"

namespace nightjar::broker::protocol {

Outcome on_pubcomp(WorkerState& worker, Connection& connection, const mqtt::PublishAck& ack) {
  Session& session = *connection.session;
  InFlight::Entry* entry = session.in_flight.find(ack.packet_id);
  if (entry == nullptr) return {};
  if (entry->state != InFlight::State::kReleased) {
    return mqtt::Violation{mqtt::ReasonCode::kProtocolError, "PUBCOMP before PUBREC [MQTT-4.3.3-5]"};
  }
  finish(worker, session, *entry);
  return {};
}

}  // namespace nightjar::broker::protocol
