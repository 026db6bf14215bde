// PUBREC from a client: it has the QoS 2 message; PUBREL follows (section 3.5).
#include "broker/protocol/acknowledge.h"
#include "broker/protocol/handlers.h"
#include "broker/session/delivery.h"
#include "broker/worker_state.h"

namespace nightjar::broker::protocol {
namespace {

// When all that was changed is durable: "PUBREC received", above all (rules: 3).
void send_pubrel(WorkerState& worker, Connection& connection, mqtt::PacketId id, mqtt::ReasonCode code) {
  acknowledge(worker, connection, next_place(connection), mqtt::PacketType::kPubrel, id, code,
              {.commit = connection.session->stored ? worker.journal.latest() : 0},
              "no message is in flight with this packet id");
}

}  // namespace

Outcome on_pubrec(WorkerState& worker, Connection& connection, const mqtt::PublishAck& ack) {
  Session& session = *connection.session;
  InFlight::Entry* entry = session.in_flight.find(ack.packet_id);
  const bool is_error = static_cast<std::uint8_t>(ack.code) >= 0x80;
  if (entry == nullptr) {
    if (!is_error)
      send_pubrel(worker, connection, ack.packet_id, mqtt::ReasonCode::kPacketIdentifierNotFound);
    return {};
  }
  if (entry->delivery.qos != mqtt::Qos::kExactlyOnce) {
    return mqtt::Violation{mqtt::ReasonCode::kProtocolError, "PUBREC for a QoS 1 message"};
  }
  if (entry->state == InFlight::State::kPublished) {
    settle(worker, session, *entry, ack.code);
    if (is_error) {
      finish(worker, session, *entry);  // PUBREL is not sent [MQTT-4.3.3-4]
      return {};
    }
    entry->state = InFlight::State::kReleased;
    if (entry->delivery.is_kept) worker.journal.touch(session, true);
    entry->delivery.message = {};  // must not be sent again [MQTT-4.3.3-6]
    entry->delivery.group = nullptr;
  }
  send_pubrel(worker, connection, ack.packet_id, mqtt::ReasonCode::kSuccess);
  return {};
}

}  // namespace nightjar::broker::protocol
