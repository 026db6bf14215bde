// What a worker counts. Plain numbers, written by their worker only; a snapshot is taken by a task that runs
// on the worker between two events, so the sums of the loss ledger are exact there.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace nightjar::broker {

// Why a copy of a message did not reach its receiver. Every drop has exactly one.
enum class DropReason : std::uint8_t {
  kQueueFull,     // queue limit of the session or the shared group
  kOutputFull,    // QoS 0 while too many bytes wait to be sent
  kOffline,       // QoS 0 while the session has no connection
  kExpired,       // Message Expiry Interval or queue age
  kTooLarge,      // more than the client's Maximum Packet Size, or the listener's
  kSessionEnded,  // the session ended with messages waiting
  kUnsubscribed,  // the subscription went away while the message was on its way
  kConflated,     // replaced by a newer value of its topic
  kDenied,        // the receiver may not read the topic
  kRefused,       // the client answered PUBACK or PUBREC with an error [MQTT-4.8.2-6]
  kNoMember,      // QoS 0 to a shared group without a connected member
  kCount,
};
std::string_view to_string(DropReason reason);

inline constexpr std::size_t kDropReasons = static_cast<std::size_t>(DropReason::kCount);

// Copies of messages on their way to receivers, for one worker, at every turn boundary:
// routed + taken_over == delivered + waiting + in_flight + sum(dropped) + handed_over.
// Summed over workers, handed_over - taken_over is what lies in mailboxes.
struct Ledger {
  std::uint64_t routed = 0;     // copies that arrived for a receiver of this worker
  std::uint64_t delivered = 0;  // QoS 0 written, QoS 1 acknowledged, QoS 2 received by the client
  std::array<std::uint64_t, kDropReasons> dropped{};
  std::int64_t waiting = 0;       // in session and group queues
  std::int64_t in_flight = 0;     // sent at QoS 1 or 2, not acknowledged
  std::uint64_t handed_over = 0;  // given to another worker: group to member and back, shard moves
  std::uint64_t taken_over = 0;   // received that way

  [[nodiscard]] std::uint64_t dropped_total() const;
  // Left side minus right side of the identity; 0 unless there is a bug.
  [[nodiscard]] std::int64_t imbalance() const;
};

struct Counters {
  Ledger ledger;
  std::uint64_t connections_opened = 0;
  std::uint64_t connections_refused = 0;
  std::int64_t connections = 0;  // with or without an accepted CONNECT
  std::int64_t clients_connected = 0;
  std::int64_t sessions = 0;
  std::int64_t subscriptions = 0;
  std::int64_t shared_subscriptions = 0;
  std::uint64_t packets_received = 0;
  std::uint64_t packets_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t publish_received = 0;
  std::uint64_t publish_sent = 0;
  std::uint64_t publish_bytes_received = 0;
  std::uint64_t publish_bytes_sent = 0;
  std::uint64_t publish_unrouted = 0;  // matched no subscription; $SYS topics are not counted
  std::uint64_t publish_refused = 0;   // denied, or against a limit of the listener
  std::uint64_t takeovers = 0;
  std::uint64_t migrations = 0;  // connections that moved to their home worker
  std::uint64_t shard_moves = 0;
  std::uint64_t sessions_expired = 0;
  std::uint64_t wills_published = 0;
  std::uint64_t protocol_errors = 0;
  std::int64_t stranger_bytes = 0;
};

// Adds `part` to `sum`, field by field.
void add(Counters& sum, const Counters& part);

}  // namespace nightjar::broker
