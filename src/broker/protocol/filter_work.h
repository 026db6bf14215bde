// SUBSCRIBE and UNSUBSCRIBE, filter by filter. What a turn has no time for (filter_steps.h) goes on in the
// next ones, and meanwhile nothing more is read from the connection. Functions of the connection's worker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "broker/connection.h"
#include "broker/filter_steps.h"
#include "broker/protocol/handlers.h"
#include "mqtt/packets.h"

namespace nightjar::broker::protocol {

// One packet and how far it got.
struct FilterWork {
  std::vector<mqtt::SubscriptionRequest> requests;  // UNSUBSCRIBE: the filter of each
  std::size_t next = 0;                             // the first that was not acted on
  std::uint32_t identifier = 0;                     // of SUBSCRIBE; 0: none
  PendingSuback answer;
  std::size_t refused = 0;
  std::string first_refused;  // filter, for the log
  mqtt::ReasonCode first_code = mqtt::ReasonCode::kSuccess;
  std::vector<std::string> mounted;  // what `requests` points into behind a mount point
  ByteBuffer packet;                 // what `requests` points into, once the work has outlived the turn

  [[nodiscard]] bool is_done() const { return next == requests.size(); }
};

// Acts on as much as this turn has steps for; answers, or keeps the rest in the connection. `frame` is what
// the requests point into.
Outcome start_filter_work(WorkerState& worker, Connection& connection, FilterWork work,
                          const mqtt::Frame& frame);
// Puts the mount point of its listener in front of each filter.
void mount(const Connection& connection, FilterWork& work);
// At the end of a turn: the connections that have some left go on, each in its turn.
void continue_filter_work(WorkerState& worker);

// The packet-specific part: acts on the next filter and appends its code to the answer.
Outcome subscribe_next(WorkerState& worker, Connection& connection, FilterWork& work);    // subscribe.cc
Outcome unsubscribe_next(WorkerState& worker, Connection& connection, FilterWork& work);  // unsubscribe.cc

}  // namespace nightjar::broker::protocol
