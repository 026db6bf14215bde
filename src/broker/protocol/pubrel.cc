// PUBREL from a client: its QoS 2 packet id is free again (section 3.6).
#include "broker/protocol/handlers.h"
#include "broker/send_packet.h"
#include "broker/worker_state.h"
#include "mqtt/writer.h"

namespace nightjar::broker::protocol {

Outcome on_pubrel(WorkerState& worker, Connection& connection, const mqtt::PublishAck& ack) {
  const bool is_known = connection.session->incoming_ids.erase(ack.packet_id);
  connection.earlier_ids.erase(ack.packet_id);
  const bool explains = !is_known && connection.wants_problem_information;
  send_packet(
      worker, connection, explains ? "no message waits for release with this packet id" : std::string_view{},
      [&](ByteBuffer& output, ByteView properties) {
        mqtt::write_publish_ack(
            output, connection.version, mqtt::PacketType::kPubcomp, ack.packet_id,
            is_known ? mqtt::ReasonCode::kSuccess : mqtt::ReasonCode::kPacketIdentifierNotFound, properties);
      });
  return {};
}

}  // namespace nightjar::broker::protocol
