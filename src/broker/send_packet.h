// Writes one packet to a connection: counted, flushed at the end of the turn, and never larger than the
// client takes. Used on the connection's worker.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "broker/connection.h"
#include "broker/worker_state.h"
#include "mqtt/properties.h"

namespace nightjar::broker {

// `write(output, properties)` appends the packet with the given encoded properties. With a `reason` a 5.0
// client gets it as Reason String; one that would make the packet too large is left out [MQTT-3.4.2-2]. False
// if the packet does not fit even so: it is not sent then [MQTT-3.1.2-24].
template <typename Write>
bool send_packet(WorkerState& worker, Connection& connection, std::string_view reason, Write write) {
  ByteBuffer& output = connection.transport().output();
  const std::size_t before = output.size();
  if (connection.is_v5() && !reason.empty()) {
    ByteBuffer properties;
    mqtt::PropertyWriter{properties}.text(mqtt::PropertyId::kReasonString, reason);
    write(output, properties.view());
    if (!connection.takes(output.size() - before)) output.truncate(before);
  }
  if (output.size() == before) write(output, ByteView{});
  if (!connection.takes(output.size() - before)) {
    output.truncate(before);
    return false;
  }
  worker.counters.bytes_sent += output.size() - before;
  ++worker.counters.packets_sent;
  connection.transport().flush_later();
  return true;
}

}  // namespace nightjar::broker
