// UNSUBSCRIBE: nothing more is delivered once the UNSUBACK is queued (section 3.10).
#include "broker/protocol/handlers.h"
#include "broker/protocol/subscribe.h"
#include "broker/session/lifecycle.h"
#include "broker/worker_state.h"

namespace nightjar::broker::protocol {

Outcome on_unsubscribe(WorkerState& worker, Connection& connection, const mqtt::Frame& frame) {
  const auto packet = mqtt::read_unsubscribe(frame, connection.version);
  if (!packet) return packet.error();
  PendingSuback answer{
      .operation = ++connection.last_operation, .is_unsubscribe = true, .packet_id = packet->packet_id};
  Session& session = *connection.session;
  for (const std::string_view filter : packet->filters) {
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
