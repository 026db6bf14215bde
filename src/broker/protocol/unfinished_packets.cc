#include "broker/protocol/unfinished_packets.h"

#include "broker/connections.h"
#include "broker/protocol/filter_work.h"
#include "broker/worker_state.h"

namespace nightjar::broker::protocol {
namespace {

// The part of a usual packet that one read cut off is not worth counting.
constexpr std::size_t kNotCounted = 64 * 1024;
// Without a further byte for so long, a transfer gives way to others.
constexpr Duration kStandstill = Duration::seconds(10);

void count(WorkerState& worker, Connection& connection, std::size_t bytes) {
  const auto change =
      static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(connection.unfinished_bytes);
  if (change == 0) return;
  connection.unfinished_bytes = static_cast<std::uint32_t>(bytes);
  worker.node.unfinished_bytes().fetch_add(change, std::memory_order_relaxed);
}

// A packet that takes several turns is received but not done with.
std::size_t bytes_of_filter_work(const Connection& connection) {
  if (!connection.filter_work) return 0;
  const FilterWork& work = *connection.filter_work;
  return work.packet.size() + work.requests.size() * sizeof work.requests.front();
}

bool is_over_budget(WorkerState& worker) {
  return worker.node.unfinished_bytes().load(std::memory_order_relaxed) >
         static_cast<std::int64_t>(worker.node.policy().unfinished_bytes_max);
}

Connection* longest_standstill(WorkerState& worker) {
  Connection* found = nullptr;
  for (const auto& connection : worker.connections) {
    if (connection->unfinished_bytes == 0 || connection->last_grown + kStandstill > worker.now) continue;
    if (found == nullptr || connection->last_grown < found->last_grown) found = connection.get();
  }
  return found;
}

}  // namespace

void count_unfinished(WorkerState& worker, Connection& connection) {
  const std::size_t held = connection.unread.size() + bytes_of_filter_work(connection);
  count(worker, connection, held > kNotCounted ? held : 0);
  if (connection.unfinished_bytes == 0) return;
  connection.last_grown = worker.now;
  while (is_over_budget(worker)) {
    Connection* stalled = longest_standstill(worker);
    const bool is_itself = stalled == nullptr;
    close_connection(worker, is_itself ? connection : *stalled,
                     {.code = mqtt::ReasonCode::kQuotaExceeded,
                      .why = "too many bytes of unfinished packets (max_unfinished_bytes)"});
    if (is_itself) return;
  }
}

void forget_unfinished(WorkerState& worker, Connection& connection) { count(worker, connection, 0); }

}  // namespace nightjar::broker::protocol
