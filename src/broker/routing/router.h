// The way of one message from its publisher to everybody who subscribed: match once in the shared tree (and
// remember it), deliver to this worker's own receivers, send one entry to each other worker that has some.
// Functions of one worker.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "broker/ids.h"
#include "broker/mail.h"
#include "broker/message.h"
#include "broker/publication.h"
#include "mqtt/reason_code.h"

namespace nightjar::broker {

struct MailBatch;
struct Route;
struct WorkerState;

struct RouteOutcome {
  bool is_matched = false;
  std::uint32_t awaited = 0;  // reports that other workers will send, if `report` asked for them
  mqtt::ReasonCode code = mqtt::ReasonCode::kSuccess;  // what this worker's own receivers answered
};

// What this worker already knows about a topic, or nullptr: a topic it knows is a valid name. `topic` is any
// bytes. Valid until the next route().
Route* known_route(WorkerState& worker, std::string_view topic);

// Whether a message of QoS 1 or 2 has a receiver that is kept, so that it needs the store.
bool needs_store(WorkerState& worker, std::string_view topic, Route* known);

// A message that was stored as retained before, if it is to be. `known` is what known_route gave for its
// topic.
RouteOutcome route(WorkerState& worker, Publication& publication, Route* known, const ReportTo& report);
// The same for a message that nobody waits for.
RouteOutcome route(WorkerState& worker, const MessageRef& message);

// A message that was matched at `version` by another worker, for the receivers of `filters` on this one.
void deliver_local(WorkerState& worker, Publication& publication, RouteVersion version,
                   std::span<const FilterId> filters);
// The same for one that was stored as retained, that somebody waits for, or that was forwarded or held back.
mqtt::ReasonCode deliver_local(WorkerState& worker, const DeliverMail& mail,
                               std::span<const FilterId> filters);

}  // namespace nightjar::broker
