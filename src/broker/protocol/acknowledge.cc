#include "broker/protocol/acknowledge.h"

#include <algorithm>

#include "broker/connections.h"
#include "broker/protocol/handlers.h"
#include "broker/protocol/subscribe.h"
#include "broker/send_packet.h"
#include "broker/worker_state.h"
#include "mqtt/writer.h"

namespace nightjar::broker::protocol {
namespace {

void write(WorkerState& worker, Connection& connection, const PendingAck& ack) {
  const bool is_error = static_cast<std::uint8_t>(ack.code) >= 0x80;
  const std::string_view why = ack.why.empty() ? to_string(ack.code) : ack.why;
  const bool explains = is_error && connection.wants_problem_information;
  send_packet(
      worker, connection, explains ? why : std::string_view{}, [&](ByteBuffer& output, ByteView properties) {
        mqtt::write_publish_ack(output, connection.version, ack.type, ack.packet_id, ack.code, properties);
      });
}

void flush(WorkerState& worker, Connection& connection) {
  auto& pending = *connection.pending_acks;
  while (!pending.empty() && pending.front().awaited == 0 &&
         worker.journal.is_durable(pending.front().commit)) {
    const PendingAck ack = pending.front();
    pending.pop_front();
    if (ack.type == mqtt::PacketType::kPuback) --connection.pending_pubacks;
    write(worker, connection, ack);
  }
  if (pending.empty()) connection.pending_acks.reset();
}

void leave_when_acknowledged(WorkerState& worker, Connection& connection) {
  if (connection.leaving && !connection.pending_acks)
    close_connection(worker, connection, *connection.leaving);
}

}  // namespace

std::uint64_t next_place(Connection& connection) { return connection.next_ack_place++; }

std::size_t unacknowledged_qos1(const Connection& connection) { return connection.pending_pubacks; }

void acknowledge(WorkerState& worker, Connection& connection, std::uint64_t place, mqtt::PacketType type,
                 mqtt::PacketId id, mqtt::ReasonCode code, Confirmed when, std::string_view why) {
  const PendingAck ack{.place = place,
                       .commit = when.commit,
                       .why = why,
                       .awaited = when.awaited,
                       .packet_id = id,
                       .type = type,
                       .code = code};
  const bool is_durable = worker.journal.is_durable(when.commit);
  if (!connection.pending_acks) {
    if (when.awaited == 0 && is_durable) return write(worker, connection, ack);
    connection.pending_acks = std::make_unique<PendingAcks>();
  }
  connection.pending_acks->push_back(ack);
  if (type == mqtt::PacketType::kPuback) ++connection.pending_pubacks;
  if (!is_durable) worker.journal.wait(connection, when.commit);
}

void on_committed(WorkerState& worker, Connection& connection) {
  if (connection.state == Connection::State::kOpening) return finish_connect(worker, connection);
  if (connection.pending_acks) flush(worker, connection);
  answer_committed(worker, connection);
  leave_when_acknowledged(worker, connection);
}

namespace {

template <typename Change>
void for_each_commit(Connection& connection, Change change) {
  change(connection.opening);
  if (connection.pending_acks) {
    for (PendingAck& ack : *connection.pending_acks) change(ack.commit);
  }
  if (connection.pending_subacks) {
    for (PendingSuback& answer : *connection.pending_subacks) change(answer.commit);
  }
}

}  // namespace

void wait_for_arrival(Connection& connection) {
  for_each_commit(connection, [](CommitNumber& commit) {
    if (commit != 0) commit = kNeverDurable;
  });
}

void end_wait_for_arrival(WorkerState& worker, Connection& connection, CommitNumber after) {
  for_each_commit(connection, [&](CommitNumber& commit) {
    if (commit != kNeverDurable) return;
    commit = after;
    if (after != 0) worker.journal.wait(connection, after);
  });
}

namespace {

void refuse_incoming(WorkerState& worker, Connection& connection, PendingAck& ack) {
  if (!free_refused_id(worker, connection, ack.packet_id)) return;
  ack.commit = worker.journal.turn();
  worker.journal.wait(connection, ack.commit);
}

}  // namespace

bool free_refused_id(WorkerState& worker, Connection& connection, mqtt::PacketId id) {
  if (!connection.is_v5()) return false;
  Session& session = *connection.session;
  session.incoming_ids.erase(id);
  worker.journal.touch(session, true);
  return session.stored != nullptr;
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
    if (ack->type == mqtt::PacketType::kPubrec) refuse_incoming(worker, connection, *ack);
  }
  flush(worker, connection);
  leave_when_acknowledged(worker, connection);
}

void settle_all(WorkerState& worker, Connection& connection) {
  if (!connection.pending_acks) return;
  for (PendingAck& ack : *connection.pending_acks) ack.awaited = 0;
  flush(worker, connection);
}

}  // namespace nightjar::broker::protocol
