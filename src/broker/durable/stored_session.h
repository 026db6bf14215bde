// What a session needs beyond itself to be kept by the store. None for a session that ends with its
// connection. Plain data of the session that owns it; journal.h acts on it.
#pragma once

#include <boost/container/deque.hpp>
#include <boost/container/flat_set.hpp>
#include <cstdint>
#include <memory>

#include "broker/durable/queue_rows.h"
#include "broker/durable/records.h"
#include "mqtt/types.h"

namespace nightjar::broker {

// A packet id whose message is sent when both are durable (rules: 3), or when those in front of it are.
struct Unsent {
  mqtt::PacketId id{};
  CommitPoint message{};     // where the message is,
  CommitNumber packet_id{};  // and where its packet id, on the session's worker
};

struct StoredSession {
  QueueName queue;
  // In flight and not sent yet, in order: QoS 2 messages, and what came behind them. None while there is
  // none, as for most sessions at most times.
  std::unique_ptr<boost::container::deque<Unsent>> unsent;
  QueueRows rows;
  std::uint64_t next_sequence = 1;
  // Of messages that left the outbox from its middle.
  boost::container::flat_set<std::uint64_t> gone;
  std::int64_t answer_ms = 0;  // how long its client takes to acknowledge, smoothed
  bool is_loading = false;     // of what its outbox has spilled
  bool is_to_spill = false;    // in the list of Journal
  bool has_will = false;       // in the store
  bool is_touched = false;     // its packet ids are to be written
  bool is_conflated = false;   // the outbox may be out of order of the sequences
  std::uint32_t waits = 0;     // in the lists of Journal
};

}  // namespace nightjar::broker
