// DISCONNECT from a client: the orderly end, which discards the will, or with 0x04 does not (section 3.14).
#include <algorithm>
#include <memory>

#include "broker/connections.h"
#include "broker/protocol/handlers.h"
#include "broker/session/session.h"
#include "broker/worker_state.h"

namespace nightjar::broker::protocol {

Outcome on_disconnect(WorkerState& worker, Connection& connection, const mqtt::Frame& frame) {
  const auto packet = mqtt::read_disconnect(frame, connection.version);
  if (!packet) return packet.error();
  Session& session = *connection.session;
  if (connection.is_v5() && packet->properties.has(mqtt::PropertyId::kSessionExpiryInterval)) {
    const std::uint32_t wanted = packet->properties.session_expiry_interval_s;
    if (session.expiry_s == 0 && wanted != 0) {
      return mqtt::Violation{mqtt::ReasonCode::kProtocolError,
                             "Session Expiry Interval in DISCONNECT after 0 in CONNECT [section 3.14.2.2.2]"};
    }
    session.expiry_s = std::min(wanted, connection.policy->session_expiry_max_s);
  }
  // Only Normal disconnection takes the will back [MQTT-3.14.4-3].
  const bool is_normal = packet->code == mqtt::ReasonCode::kSuccess;
  const Close close{
      .code = is_normal ? mqtt::ReasonCode::kSuccess : mqtt::ReasonCode::kDisconnectWithWill,
      .why = is_normal ? "the client disconnected" : "the client disconnected and left its will",
      .discards_will = is_normal,
      .is_expected = true};
  // What it has published is acknowledged first, if that only takes a commit.
  if (connection.pending_acks && !worker.node.ports().store.is_refusing()) {
    connection.leaving = std::make_unique<Close>(close);
    connection.transport().pause_reading();
    return {};
  }
  close_connection(worker, connection, close);
  return {};
}

}  // namespace nightjar::broker::protocol
