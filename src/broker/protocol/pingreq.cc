// PINGREQ: the answer is PINGRESP [MQTT-3.12.4-1].
#include "broker/protocol/handlers.h"
#include "broker/send_packet.h"
#include "broker/worker_state.h"
#include "mqtt/writer.h"

namespace nightjar::broker::protocol {

Outcome on_pingreq(WorkerState& worker, Connection& connection, const mqtt::Frame& frame) {
  if (const auto read = mqtt::read_ping(frame); !read) return read.error();
  send_packet(worker, connection, {}, [](ByteBuffer& output, ByteView) { mqtt::write_pingresp(output); });
  return {};
}

}  // namespace nightjar::broker::protocol
