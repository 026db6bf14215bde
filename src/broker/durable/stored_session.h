// What a session needs beyond itself to be kept by the store. None for a session that ends with its connection.
// Plain data of the session that owns it; journal.h acts on it.
#pragma once

#include <cstdint>
#include <set>

#include "broker/durable/records.h"

namespace nightjar::broker {

struct StoredSession {
  QueueName queue;
  std::uint64_t next_sequence = 1;
  // Of messages that left the outbox from its middle.
  std::set<std::uint64_t> gone;
  bool has_will = false;      // in the store
  bool is_touched = false;    // its packet ids are to be written
  bool is_conflated = false;  // the outbox may be out of order of the sequences
  std::uint32_t waits = 0;    // in the lists of Journal
};

}  // namespace nightjar::broker
