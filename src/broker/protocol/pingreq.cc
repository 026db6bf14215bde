// PINGREQ: the answer is PINGRESP [MQTT-3.12.4-1].
#include "broker/protocol/handlers.h"
#include "broker/worker_state.h"
#include "mqtt/writer.h"

namespace nightjar::broker::protocol {

Outcome on_pingreq(WorkerState& worker, Connection& connection, const mqtt::Frame& frame) {
  if (const auto read = mqtt::read_ping(frame); !read) return read.error();
  mqtt::write_pingresp(connection.transport().output());
  ++worker.counters.packets_sent;
  worker.counters.bytes_sent += 2;
  connection.transport().flush_later();
  return {};
}

}  // namespace nightjar::broker::protocol
