// PUBREL from a client: its QoS 2 packet id is free again (section 3.6).
#include "broker/protocol/acknowledge.h"
#include "broker/protocol/handlers.h"
#include "broker/worker_state.h"

namespace nightjar::broker::protocol {

Outcome on_pubrel(WorkerState& worker, Connection& connection, const mqtt::PublishAck& ack) {
  Session& session = *connection.session;
  const bool is_known = session.incoming_ids.erase(ack.packet_id);
  connection.earlier_ids.erase(ack.packet_id);
  if (is_known) worker.journal.touch(session, true);
  acknowledge(worker, connection, next_place(connection), mqtt::PacketType::kPubcomp, ack.packet_id,
              is_known ? mqtt::ReasonCode::kSuccess : mqtt::ReasonCode::kPacketIdentifierNotFound,
              {.commit = session.stored ? worker.journal.latest() : 0},
              "no message waits for release with this packet id");
  return {};
}

}  // namespace nightjar::broker::protocol
