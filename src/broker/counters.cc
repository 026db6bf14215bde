#include "broker/counters.h"

#include <numeric>

namespace nightjar::broker {

std::string_view to_string(DropReason reason) {
  switch (reason) {
    case DropReason::kQueueFull:
      return "queue_full";
    case DropReason::kOutputFull:
      return "output_full";
    case DropReason::kOffline:
      return "offline";
    case DropReason::kExpired:
      return "expired";
    case DropReason::kTooLarge:
      return "too_large";
    case DropReason::kSessionEnded:
      return "session_ended";
    case DropReason::kUnsubscribed:
      return "unsubscribed";
    case DropReason::kConflated:
      return "conflated";
    case DropReason::kDenied:
      return "denied";
    case DropReason::kRefused:
      return "refused_by_client";
    case DropReason::kNoMember:
      return "no_member";
    case DropReason::kCount:
      break;
  }
  return "unknown";
}

std::uint64_t Ledger::dropped_total() const {
  return std::accumulate(dropped.begin(), dropped.end(), std::uint64_t{0});
}

std::int64_t Ledger::imbalance() const {
  const std::uint64_t in = routed + taken_over;
  const std::uint64_t out = delivered + dropped_total() + handed_over;
  return static_cast<std::int64_t>(in - out) - waiting - in_flight;
}

void add(Counters& sum, const Counters& part) {
  sum.ledger.routed += part.ledger.routed;
  sum.ledger.delivered += part.ledger.delivered;
  for (std::size_t i = 0; i < kDropReasons; ++i) sum.ledger.dropped[i] += part.ledger.dropped[i];
  sum.ledger.waiting += part.ledger.waiting;
  sum.ledger.in_flight += part.ledger.in_flight;
  sum.ledger.handed_over += part.ledger.handed_over;
  sum.ledger.taken_over += part.ledger.taken_over;
  sum.connections_opened += part.connections_opened;
  sum.connections_refused += part.connections_refused;
  sum.connections += part.connections;
  sum.clients_connected += part.clients_connected;
  sum.sessions += part.sessions;
  sum.subscriptions += part.subscriptions;
  sum.shared_subscriptions += part.shared_subscriptions;
  sum.packets_received += part.packets_received;
  sum.packets_sent += part.packets_sent;
  sum.bytes_received += part.bytes_received;
  sum.bytes_sent += part.bytes_sent;
  sum.publish_received += part.publish_received;
  sum.publish_sent += part.publish_sent;
  sum.publish_bytes_received += part.publish_bytes_received;
  sum.publish_bytes_sent += part.publish_bytes_sent;
  sum.publish_unrouted += part.publish_unrouted;
  sum.publish_refused += part.publish_refused;
  sum.takeovers += part.takeovers;
  sum.migrations += part.migrations;
  sum.shard_moves += part.shard_moves;
  sum.sessions_expired += part.sessions_expired;
  sum.wills_published += part.wills_published;
  sum.protocol_errors += part.protocol_errors;
  sum.stranger_bytes += part.stranger_bytes;
}

}  // namespace nightjar::broker
