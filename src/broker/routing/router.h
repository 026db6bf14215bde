// The way of one message from its publisher to everybody who subscribed: match once in the shared tree,
// deliver to this worker's own receivers, send one entry to each other worker that has some. Functions of one
// worker.
#pragma once

#include <cstdint>
#include <span>

#include "broker/ids.h"
#include "broker/mail.h"
#include "broker/message.h"
#include "mqtt/reason_code.h"

namespace nightjar::broker {

struct MailBatch;
struct WorkerState;

struct RouteOutcome {
  bool is_matched = false;
  std::uint32_t awaited = 0;  // reports that other workers will send, if `report` asked for them
  mqtt::ReasonCode code = mqtt::ReasonCode::kSuccess;  // what this worker's own receivers answered
};

// The message was stored as retained before, if it is to be.
RouteOutcome route(WorkerState& worker, const MessageRef& message, const ReportTo& report);

// A message that was matched elsewhere, or held back, for the receivers of `filters` on this worker.
mqtt::ReasonCode deliver_local(WorkerState& worker, const DeliverMail& mail,
                               std::span<const FilterId> filters);

}  // namespace nightjar::broker
