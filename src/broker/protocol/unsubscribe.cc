// UNSUBSCRIBE: nothing more is delivered once the UNSUBACK is queued (section 3.10).
#include "broker/protocol/filter_work.h"
#include "broker/protocol/handlers.h"
#include "broker/session/lifecycle.h"
#include "broker/worker_state.h"
#include "mqtt/topic.h"

namespace nightjar::broker::protocol {
namespace {

// 3.x knows no shared subscriptions: to it "$share/x" is a filter like others.
bool is_valid(const Connection& connection, std::string_view filter) {
  mqtt::SharedFilter shared;
  return connection.is_v5() && mqtt::is_shared(filter) ? mqtt::parse_shared(filter, shared)
                                                       : mqtt::is_valid_topic_filter(filter);
}

}  // namespace

Outcome unsubscribe_next(WorkerState& worker, Connection& connection, FilterWork& work) {
  const std::string_view filter = work.requests[work.next].filter;
  PendingSuback& answer = work.answer;
  if (!is_valid(connection, filter)) {
    // 3.x has no code for a filter that breaks the syntax: the connection ends [MQTT-4.7.1-2],
    // [MQTT-4.7.1-3].
    if (!connection.is_v5()) {
      return mqtt::Violation{mqtt::ReasonCode::kTopicFilterInvalid, "invalid Topic Filter in UNSUBSCRIBE"};
    }
    answer.codes.push_back(mqtt::ReasonCode::kTopicFilterInvalid);
    answer.why = to_string(mqtt::ReasonCode::kTopicFilterInvalid);
    return {};
  }
  Session& session = *connection.session;
  const Subscription* subscription = session.subscriptions.find(filter);
  answer.codes.push_back(subscription != nullptr ? mqtt::ReasonCode::kSuccess
                                                 : mqtt::ReasonCode::kNoSubscriptionExisted);
  if (subscription == nullptr) return {};
  if (subscription->group) ++answer.awaited;
  unsubscribe(worker, session, filter, answer.operation);
  if (session.stored) answer.commit = worker.journal.turn();
  return {};
}

Outcome on_unsubscribe(WorkerState& worker, Connection& connection, const mqtt::Frame& frame) {
  const auto packet = mqtt::read_unsubscribe(frame, connection.version);
  if (!packet) return packet.error();
  FilterWork work{.answer = {.operation = ++connection.last_operation,
                             .is_unsubscribe = true,
                             .packet_id = packet->packet_id}};
  work.requests.reserve(packet->filters.size());
  for (const std::string_view filter : packet->filters) work.requests.push_back({.filter = filter});
  mount(connection, work);
  return start_filter_work(worker, connection, std::move(work), frame);
}

}  // namespace nightjar::broker::protocol
