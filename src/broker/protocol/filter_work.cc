#include "broker/protocol/filter_work.h"

#include <algorithm>

#include "base/log.h"
#include "broker/connections.h"
#include "broker/mount_point.h"
#include "broker/protocol/packet_loop.h"
#include "broker/protocol/subscribe.h"
#include "broker/worker_state.h"

namespace nightjar::broker::protocol {
namespace {

// Ends with the work or with the steps, whichever is first.
Outcome act(WorkerState& worker, Connection& connection, FilterWork& work, FilterSteps& steps) {
  while (!work.is_done() && steps > 0) {
    steps -= steps_of(work.requests[work.next].filter);
    Outcome outcome = work.answer.is_unsubscribe ? unsubscribe_next(worker, connection, work)
                                                 : subscribe_next(worker, connection, work);
    if (outcome) return outcome;
    ++work.next;
  }
  return {};
}

void finish(WorkerState& worker, Connection& connection, FilterWork& work) {
  if (work.refused != 0) {
    log::warn("subscription refused", {{"client", connection.session->client_id},
                                       {"filter", work.first_refused},
                                       {"code", std::string{to_string(work.first_code)}},
                                       {"why", work.answer.why},
                                       {"refused", std::to_string(work.refused)},
                                       {"of", std::to_string(work.requests.size())}});
  }
  answer_when_complete(worker, connection, std::move(work.answer));
}

// The packet's bytes are the caller's and soon gone.
void keep_packet(FilterWork& work, const mqtt::Frame& frame) {
  work.packet.append(frame.body);
  const std::string_view before = as_text(frame.body);
  const std::string_view now = as_text(work.packet.view());
  for (std::size_t i = work.next; i < work.requests.size(); ++i) {
    std::string_view& filter = work.requests[i].filter;
    filter = now.substr(static_cast<std::size_t>(filter.data() - before.data()), filter.size());
  }
}

void keep(WorkerState& worker, Connection& connection, FilterWork work, const mqtt::Frame& frame) {
  if (work.mounted.empty()) keep_packet(work, frame);
  connection.filter_work = std::make_unique<FilterWork>(std::move(work));
  connection.transport().pause_reading();
  worker.filter_workers.push_back(&connection);
}

// True if some of it is left.
bool go_on(WorkerState& worker, Connection& connection, FilterSteps& steps) {
  FilterWork& work = *connection.filter_work;
  connection.last_received = worker.now;  // the client is not silent: nobody listens to it
  if (const Outcome outcome = act(worker, connection, work, steps)) {
    ++worker.counters.protocol_errors;
    close_connection(worker, connection, {.code = outcome->code, .why = outcome->why});
    return false;
  }
  if (!work.is_done()) return true;
  finish(worker, connection, work);
  connection.filter_work.reset();
  resume_later(worker, connection);
  return false;
}

}  // namespace

void mount(const Connection& connection, FilterWork& work) {
  if (!connection.is_mounted) return;
  work.mounted.reserve(work.requests.size());
  for (mqtt::SubscriptionRequest& request : work.requests) {
    request.filter =
        work.mounted.emplace_back(mounted_filter(connection.policy->mount_point, request.filter));
  }
}

Outcome start_filter_work(WorkerState& worker, Connection& connection, FilterWork work,
                          const mqtt::Frame& frame) {
  if (Outcome outcome = act(worker, connection, work, worker.filter_steps_left)) return outcome;
  if (work.is_done()) {
    finish(worker, connection, work);
  } else {
    keep(worker, connection, std::move(work), frame);
  }
  return {};
}

void continue_filter_work(WorkerState& worker) {
  std::vector<Connection*> batch;
  batch.swap(worker.filter_workers);
  FilterSteps left = kFilterStepsPerTurn;
  std::vector<Connection*> served;
  for (Connection* connection : batch) {
    if (left <= 0) {
      worker.filter_workers.push_back(connection);
      continue;
    }
    FilterSteps steps = std::min(left, kFilterStepsEach);
    left -= steps;
    if (go_on(worker, *connection, steps)) served.push_back(connection);
    left += steps;
  }
  // Who was not served comes first in the next turn.
  worker.filter_workers.insert(worker.filter_workers.end(), served.begin(), served.end());
}

}  // namespace nightjar::broker::protocol
