#include "broker/routing/router.h"

#include <algorithm>

#include "broker/session/delivery.h"
#include "broker/worker_state.h"

namespace nightjar::broker {
namespace {

// Whether this message is for this subscription: matched after it was made, not before a shard move took it
// elsewhere, not the publisher's own with No Local, not something that the retained replay brings.
bool accepts(const Subscription& subscription, const DeliverMail& mail, ShardId shard) {
  if (mail.scope != DeliverMail::Scope::kAll && shard != mail.shard) return false;
  if (subscription.session != nullptr && subscription.session->is_ended) return false;
  if (mail.scope == DeliverMail::Scope::kForwarded) {
    if (mail.version < subscription.since || mail.version >= subscription.moved_since) return false;
  } else if (mail.version < std::max(subscription.since, subscription.moved_since)) {
    return false;
  }
  const Message& message = *mail.message;
  if (subscription.no_local && subscription.session->client_id_hash == message.origin()) return false;
  return message.retained_version() == 0 || message.retained_version() > subscription.retained_floor;
}

ShardId shard_of(const Subscription& subscription) {
  return subscription.session != nullptr ? subscription.session->shard
                                         : subscription.shared_group->key().shard;
}

// Adds one more matching subscription to what its session gets: one copy, at the highest QoS, with all
// Subscription Identifiers [MQTT-3.3.4-2], [MQTT-3.3.4-4].
void gather(WorkerState& worker, const Subscription& subscription) {
  Session& session = *subscription.session;
  if (session.route_mark != worker.route_mark) {
    session.route_mark = worker.route_mark;
    session.gathered = static_cast<std::uint32_t>(worker.receivers.size());
    worker.receivers.push_back({.session = &session});
  }
  Receiver& receiver = worker.receivers[session.gathered];
  receiver.qos = std::max(receiver.qos, subscription.qos);
  receiver.retain_as_published |= subscription.retain_as_published;
  if (subscription.identifier != 0) receiver.subscription_ids.push_back(subscription.identifier);
}

mqtt::ReasonCode deliver_gathered(WorkerState& worker, const MessageRef& message) {
  mqtt::ReasonCode code = mqtt::ReasonCode::kSuccess;
  for (Receiver& receiver : worker.receivers) {
    ++worker.ledger().routed;
    const mqtt::ReasonCode answer = deliver(worker, *receiver.session,
                                            {.message = message,
                                             .qos = std::min(message->qos(), receiver.qos),
                                             .retain = receiver.retain_as_published && message->retain(),
                                             .subscription_ids = std::move(receiver.subscription_ids)});
    if (answer != mqtt::ReasonCode::kSuccess) code = answer;
  }
  return code;
}

}  // namespace

mqtt::ReasonCode deliver_local(WorkerState& worker, const DeliverMail& mail,
                               std::span<const FilterId> filters) {
  ++worker.route_mark;
  worker.receivers.clear();
  mqtt::ReasonCode code = mqtt::ReasonCode::kSuccess;
  const bool is_direct = mail.scope == DeliverMail::Scope::kAll;
  if (is_direct) worker.moves.forward_departed(worker, mail, filters);
  for (const FilterId filter : filters) {
    const LocalSubscribers::Targets* targets = worker.subscribers.find(filter);
    if (targets == nullptr) continue;
    for (Subscription* subscription : *targets) {
      const ShardId shard = shard_of(*subscription);
      if (!accepts(*subscription, mail, shard)) continue;
      if (is_direct && !worker.moves.is_ready(shard)) {
        worker.moves.hold(shard, worker.route_mark, mail, filters);
        continue;
      }
      if (subscription->shared_group != nullptr) {
        const mqtt::ReasonCode answer = subscription->shared_group->push(worker, mail.message);
        if (answer != mqtt::ReasonCode::kSuccess) code = answer;
      } else {
        gather(worker, *subscription);
      }
    }
  }
  const mqtt::ReasonCode answer = deliver_gathered(worker, mail.message);
  return answer != mqtt::ReasonCode::kSuccess ? answer : code;
}

RouteOutcome route(WorkerState& worker, const MessageRef& message, const ReportTo& report) {
  SubscriptionTree& tree = worker.node.tree();
  DeliverMail mail{.message = message, .version = tree.version(), .report = report};
  worker.matches.clear();
  tree.match(message->topic(), worker.matches);
  if (worker.matches.empty()) {
    ++worker.counters.publish_unrouted;
    return {};
  }
  RouteOutcome outcome{.is_matched = true};
  WorkerSet everybody = 0;
  worker.own_filters.clear();
  for (const Match& match : worker.matches) {
    everybody |= match.workers;
    if ((match.workers & bit(worker.index)) != 0) worker.own_filters.push_back(match.filter);
  }
  WorkerSet others = everybody & ~bit(worker.index);
  while (others != 0) {
    const WorkerIndex to{static_cast<std::uint16_t>(__builtin_ctzll(others))};
    others &= others - 1;
    worker.peer_filters.clear();
    for (const Match& match : worker.matches) {
      if ((match.workers & bit(to)) != 0) worker.peer_filters.push_back(match.filter);
    }
    worker.mailer.deliver(to, mail, worker.peer_filters);
    if (report.connection != 0) ++outcome.awaited;
  }
  if (!worker.own_filters.empty()) outcome.code = deliver_local(worker, mail, worker.own_filters);
  return outcome;
}

}  // namespace nightjar::broker
