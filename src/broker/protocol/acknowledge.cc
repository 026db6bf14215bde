#include "broker/protocol/acknowledge.h"

#include <algorithm>

#include "broker/send_packet.h"
#include "broker/worker_state.h"
#include "mqtt/writer.h"

namespace nightjar::broker::protocol {
namespace {

void write(WorkerState& worker, Connection& connection, const PendingAck& ack) {
  const bool is_error = static_cast<std::uint8_t>(ack.code) >= 0x80;
  // A PUBREC with an error ends the exchange: the packet id is free again [MQTT-4.3.3-9].
  if (ack.type == mqtt::PacketType::kPubrec && is_error && connection.is_v5()) {
    connection.session->incoming_ids.erase(ack.packet_id);
  }
  const std::string_view why = ack.why.empty() ? to_string(ack.code) : ack.why;
  const bool explains = is_error && connection.wants_problem_information;
  send_packet(
      worker, connection, explains ? why : std::string_view{}, [&](ByteBuffer& output, ByteView properties) {
        mqtt::write_publish_ack(output, connection.version, ack.type, ack.packet_id, ack.code, properties);
      });
}

void flush(WorkerState& worker, Connection& connection) {
  auto& pending = *connection.pending_acks;
  while (!pending.empty() && pending.front().awaited == 0) {
    write(worker, connection, pending.front());
    pending.pop_front();
  }
  if (pending.empty()) connection.pending_acks.reset();
}

}  // namespace

std::uint64_t next_place(Connection& connection) { return connection.next_ack_place++; }

std::size_t unacknowledged_qos1(const Connection& connection) {
  if (!connection.pending_acks) return 0;
  const auto& pending = *connection.pending_acks;
  return static_cast<std::size_t>(std::count_if(pending.begin(), pending.end(), [](const PendingAck& ack) {
    return ack.type == mqtt::PacketType::kPuback;
  }));
}

void acknowledge(WorkerState& worker, Connection& connection, std::uint64_t place, mqtt::PacketType type,
                 mqtt::PacketId id, mqtt::ReasonCode code, std::uint32_t awaited, std::string_view why) {
  const PendingAck ack{
      .place = place, .type = type, .packet_id = id, .code = code, .why = why, .awaited = awaited};
  if (!connection.pending_acks) {
    if (awaited == 0) return write(worker, connection, ack);
    connection.pending_acks = std::make_unique<std::deque<PendingAck>>();
  }
  connection.pending_acks->push_back(ack);
}

void on_report(WorkerState& worker, const ReportMail& report) {
  const auto at = worker.connections_by_serial.find(report.to.connection);
  if (at == worker.connections_by_serial.end() || !at->second->pending_acks) return;
  Connection& connection = *at->second;
  auto& pending = *connection.pending_acks;
  const auto ack = std::lower_bound(pending.begin(), pending.end(), report.to.ack,
                                    [](const PendingAck& a, std::uint64_t place) { return a.place < place; });
  if (ack == pending.end() || ack->place != report.to.ack || ack->awaited == 0) return;
  --ack->awaited;
  if (report.code != mqtt::ReasonCode::kSuccess) {
    ack->code = report.code;
    ack->why = kQueueFull;
  }
  flush(worker, connection);
}

void settle_all(WorkerState& worker, Connection& connection) {
  if (!connection.pending_acks) return;
  for (PendingAck& ack : *connection.pending_acks) ack.awaited = 0;
  flush(worker, connection);
}

}  // namespace nightjar::broker::protocol
