// PUBREL from a client: its QoS 2 packet id is free again (section 3.6).
#include "broker/protocol/handlers.h"
#include "broker/worker_state.h"
#include "mqtt/writer.h"

namespace nightjar::broker::protocol {

Outcome on_pubrel(WorkerState& worker, Connection& connection, const mqtt::PublishAck& ack) {
  const bool is_known = connection.session->incoming_ids.erase(ack.packet_id.value) != 0;
  ByteBuffer& output = connection.transport().output();
  const std::size_t before = output.size();
  mqtt::write_publish_ack(
      output, connection.version, mqtt::PacketType::kPubcomp, ack.packet_id,
      is_known ? mqtt::ReasonCode::kSuccess : mqtt::ReasonCode::kPacketIdentifierNotFound);
  worker.counters.bytes_sent += output.size() - before;
  ++worker.counters.packets_sent;
  connection.transport().flush_later();
  return {};
}

}  // namespace nightjar::broker::protocol
