#include "broker/connections.h"

#include <fmt/format.h>

#include "base/log.h"
#include "broker/protocol/acknowledge.h"
#include "broker/protocol/unfinished_packets.h"
#include "broker/routing/group_member.h"
#include "broker/send_packet.h"
#include "broker/session/lifecycle.h"
#include "broker/worker_state.h"
#include "mqtt/writer.h"

namespace nightjar::broker {
namespace {

using mqtt::ReasonCode;

void send_disconnect(WorkerState& worker, Connection& connection, const Close& close) {
  send_packet(worker, connection, close.why, [&](ByteBuffer& output, ByteView properties) {
    mqtt::write_disconnect(output, connection.version, close.code, properties);
  });
}

void log_end(WorkerState& worker, const Connection& connection, const Close& close, std::string_view peer) {
  const bool is_warning = !close.is_expected && static_cast<std::uint8_t>(close.code) >= 0x80;
  const log::Level level = is_warning ? log::Level::kWarn : log::Level::kInfo;
  if (!log::enabled(level) || (!is_warning && !worker.node.policy().logs_connections)) return;
  const std::string_view client = connection.session != nullptr
                                      ? std::string_view{connection.session->client_id}
                                  : connection.connect ? std::string_view{connection.connect->client_id}
                                                       : std::string_view{};
  log::write(level, connection.session != nullptr ? "client disconnected" : "connection closed",
             {{"client", std::string{client}},
              {"peer", std::string{peer}},
              {"cause", std::string{close.why}},
              {"code", fmt::format("0x{:02x} {}", static_cast<unsigned>(close.code), to_string(close.code))},
              {"seconds",
               fmt::format("{:.3f}", static_cast<double>((worker.now - connection.connected_at).ms) / 1e3)}});
}

// Takes the connection out of the worker's list; it stays alive in what is returned.
std::unique_ptr<Connection> unlist(WorkerState& worker, Connection& connection) {
  worker.connections_by_serial.erase(connection.serial);
  const std::uint32_t at = connection.index;
  std::unique_ptr<Connection> taken = std::move(worker.connections[at]);
  if (at + 1 != worker.connections.size()) {
    worker.connections[at] = std::move(worker.connections.back());
    worker.connections[at]->index = at;
  }
  worker.connections.pop_back();
  --worker.counters.connections;
  return taken;
}

}  // namespace

Connection& adopt_connection(WorkerState& worker, std::unique_ptr<Connection> connection) {
  connection->index = static_cast<std::uint32_t>(worker.connections.size());
  connection->worker = &worker;
  worker.connections.push_back(std::move(connection));
  ++worker.counters.connections;
  Connection& here = *worker.connections.back();
  if (worker.node.awaits_reports()) worker.connections_by_serial.emplace(here.serial, &here);
  here.transport().attach(here);
  if (here.state == Connection::State::kConnected) arm_keep_alive(worker, here);
  return here;
}

std::unique_ptr<Connection> release_connection(WorkerState& worker, Connection& connection) {
  protocol::settle_all(worker, connection);
  worker.journal.forget_waiting(connection);
  connection.timer.cancel();
  connection.transport().detach();
  std::erase(worker.to_resume, &connection);
  std::erase(worker.filter_workers, &connection);
  connection.is_to_resume = false;
  std::erase_if(worker.to_close, [&](const WorkerState::Closing& c) { return c.connection == &connection; });
  return unlist(worker, connection);
}

void count_stranger_bytes(WorkerState& worker, Connection& connection, std::size_t bytes) {
  const auto change = static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(connection.stranger_bytes);
  if (change == 0) return;
  connection.stranger_bytes = static_cast<std::uint32_t>(bytes);
  worker.counters.stranger_bytes += change;
  worker.node.stranger_bytes().fetch_add(change, std::memory_order_relaxed);
}

void close_connection(WorkerState& worker, Connection& connection, const Close& given) {
  if (connection.state == Connection::State::kClosed) return;
  // Whatever ends it now, the client had left in good order.
  const std::unique_ptr<Close> leaving = std::move(connection.leaving);
  const Close& close = leaving ? *leaving : given;
  const bool is_error = static_cast<std::uint8_t>(close.code) >= 0x80;
  if (connection.state == Connection::State::kConnected && connection.is_v5() && is_error) {
    send_disconnect(worker, connection, close);
  }
  log_end(worker, connection, close, connection.transport().peer());
  if (connection.is_counted) worker.node.connections().leave(*connection.policy);
  connection.state = Connection::State::kClosed;
  connection.timer.cancel();
  connection.unread.release();
  count_stranger_bytes(worker, connection, 0);
  protocol::forget_unfinished(worker, connection);
  worker.journal.forget_waiting(connection);
  std::erase(worker.to_resume, &connection);
  std::erase(worker.filter_workers, &connection);
  std::erase_if(worker.to_close, [&](const WorkerState::Closing& c) { return c.connection == &connection; });
  connection.transport().pause_reading();
  worker.dead.push_back(unlist(worker, connection));
  Session* session = std::exchange(connection.session, nullptr);
  if (session == nullptr) return;
  --worker.counters.clients_connected;
  session->connection = nullptr;
  session->resend.reset();
  if (session->stored) session->stored->unsent.reset();
  if (close.discards_will) session->will.reset();
  groups_offline(worker, *session);
  connection_ended(worker, *session);
}

void refuse_connection(WorkerState& worker, Connection& connection, ReasonCode code, std::string_view why) {
  if (!connection.is_open()) return;
  ++worker.counters.connections_refused;
  const bool has_word = connection.is_v5() || mqtt::has_connack_return_code(code);
  if (has_word) {
    send_packet(worker, connection, why, [&](ByteBuffer& output, ByteView properties) {
      mqtt::write_connack(output, connection.version, false, code, properties);
    });
  }
  close_connection(worker, connection, {.code = code, .why = why});
}

void arm_keep_alive(WorkerState& worker, Connection& connection) {
  if (connection.keep_alive_s == 0) {
    connection.timer.cancel();
    return;
  }
  const Duration patience{connection.keep_alive_s * std::int64_t{1500}};
  worker.timers.arm(connection.timer, connection.last_received + patience);
}

void on_connection_timer(WorkerState& worker, Connection& connection) {
  switch (connection.state) {
    case Connection::State::kAwaitConnect:
      close_connection(worker, connection, {.why = "no CONNECT in time", .is_expected = true});
      return;
    case Connection::State::kAuthenticating:
      refuse_connection(worker, connection, ReasonCode::kServerUnavailable, "authentication took too long");
      return;
    case Connection::State::kConnected:
      // The timer is not moved by every packet; only now is it seen whether one came.
      if (connection.last_received + Duration{connection.keep_alive_s * std::int64_t{1500}} > worker.now) {
        arm_keep_alive(worker, connection);
      } else {
        close_connection(worker, connection,
                         {.code = ReasonCode::kKeepAliveTimeout,
                          .why = "keep alive: nothing received in 1.5 times the interval"});
      }
      return;
    case Connection::State::kOpening:
      refuse_connection(worker, connection, ReasonCode::kServerUnavailable,
                        "the session cannot be stored at present");
      return;
    case Connection::State::kGoingHome:
    case Connection::State::kClosed:
      return;
  }
}

}  // namespace nightjar::broker
