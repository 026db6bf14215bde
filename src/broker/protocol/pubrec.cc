// PUBREC from a client: it has the QoS 2 message; PUBREL follows (section 3.5).
#include "broker/protocol/handlers.h"
#include "broker/send_packet.h"
#include "broker/session/delivery.h"
#include "broker/worker_state.h"
#include "mqtt/writer.h"

namespace nightjar::broker::protocol {
namespace {

void send_pubrel(WorkerState& worker, Connection& connection, mqtt::PacketId id, mqtt::ReasonCode code) {
  const bool explains = code != mqtt::ReasonCode::kSuccess && connection.wants_problem_information;
  send_packet(
      worker, connection, explains ? "no message is in flight with this packet id" : std::string_view{},
      [&](ByteBuffer& output, ByteView properties) {
        mqtt::write_publish_ack(output, connection.version, mqtt::PacketType::kPubrel, id, code, properties);
      });
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
    entry->delivery.message = {};  // must not be sent again [MQTT-4.3.3-6]
    entry->delivery.group = nullptr;
  }
  send_pubrel(worker, connection, ack.packet_id, mqtt::ReasonCode::kSuccess);
  return {};
}

}  // namespace nightjar::broker::protocol
