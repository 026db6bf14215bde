// UNSUBSCRIBE: nothing more is delivered once the UNSUBACK is queued (section 3.10).
#include "broker/protocol/handlers.h"
#include "broker/protocol/subscribe.h"
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

Outcome on_unsubscribe(WorkerState& worker, Connection& connection, const mqtt::Frame& frame) {
  const auto packet = mqtt::read_unsubscribe(frame, connection.version);
  if (!packet) return packet.error();
  PendingSuback answer{
      .operation = ++connection.last_operation, .is_unsubscribe = true, .packet_id = packet->packet_id};
  Session& session = *connection.session;
  for (const std::string_view filter : packet->filters) {
    if (!is_valid(connection, filter)) {
      // 3.x has no code for a filter that breaks the syntax: the connection ends [MQTT-4.7.1-2],
      // [MQTT-4.7.1-3].
      if (!connection.is_v5()) {
        return mqtt::Violation{mqtt::ReasonCode::kTopicFilterInvalid, "invalid Topic Filter in UNSUBSCRIBE"};
      }
      answer.codes.push_back(mqtt::ReasonCode::kTopicFilterInvalid);
      answer.why = to_string(mqtt::ReasonCode::kTopicFilterInvalid);
      continue;
    }
    const Subscription* subscription = session.subscriptions.find(filter);
    answer.codes.push_back(subscription != nullptr ? mqtt::ReasonCode::kSuccess
                                                   : mqtt::ReasonCode::kNoSubscriptionExisted);
    if (subscription == nullptr) continue;
    if (subscription->group) ++answer.awaited;
    unsubscribe(worker, session, filter, answer.operation);
  }
  answer_when_complete(worker, connection, std::move(answer));
  return {};
}

}  // namespace nightjar::broker::protocol
