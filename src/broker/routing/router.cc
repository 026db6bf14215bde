#include "broker/routing/router.h"

#include <algorithm>

#include "broker/session/delivery.h"
#include "broker/worker_state.h"
#include "mqtt/topic.h"

namespace nightjar::broker {
namespace {

// Whether this message is for this subscription: matched after it was made, not before a shard move took it
// elsewhere, not the publisher's own with No Local, not something that the retained replay brings.
bool accepts(const Subscription& subscription, const DeliverMail& mail, ShardId shard) {
  if (mail.scope != DeliverMail::Scope::kAll && shard != mail.shard) return false;
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
void gather(WorkerState& worker, std::vector<Receiver>& receivers, const Subscription& subscription) {
  Session& session = *subscription.session;
  if (session.route_mark != worker.route_mark) {
    session.route_mark = worker.route_mark;
    session.gathered = static_cast<std::uint32_t>(receivers.size());
    receivers.push_back({.session = &session});
  }
  Receiver& receiver = receivers[session.gathered];
  receiver.qos = std::max(receiver.qos, subscription.qos);
  receiver.retain_as_published |= subscription.retain_as_published;
  if (subscription.identifier != 0) receiver.subscription_ids.push_back(subscription.identifier);
}

mqtt::ReasonCode deliver_to(WorkerState& worker, Publication& publication,
                            const std::vector<Receiver>& receivers) {
  mqtt::ReasonCode code = mqtt::ReasonCode::kSuccess;
  worker.ledger().routed += receivers.size();
  for (const Receiver& receiver : receivers) {
    const bool is_last = &receiver == &receivers.back();
    const mqtt::ReasonCode answer = deliver(worker, publication, receiver, is_last);
    if (answer != mqtt::ReasonCode::kSuccess) code = answer;
  }
  return code;
}

// ---- the way of a topic, worked out once ----

void find_receivers(WorkerState& worker, Route& route) {
  ++worker.route_mark;
  route.is_plain = true;
  for (const FilterId filter : route.own_filters) {
    const LocalSubscribers::Targets* targets = worker.subscribers.find(filter);
    if (targets == nullptr) continue;
    for (const Subscription* subscription : *targets) {
      if (subscription->shared_group != nullptr || subscription->no_local) {
        route.is_plain = false;
        route.receivers.clear();
        return;
      }
      route.newest = std::max({route.newest, subscription->since, subscription->moved_since});
      gather(worker, route.receivers, *subscription);
    }
  }
}

void find_peers(WorkerState& worker, Route& route) {
  WorkerSet others = 0;
  for (const Match& match : worker.matches) others |= match.workers;
  others &= ~bit(worker.index);
  while (others != 0) {
    Route::Peer peer{.worker = {static_cast<std::uint16_t>(__builtin_ctzll(others))}};
    others &= others - 1;
    for (const Match& match : worker.matches) {
      if ((match.workers & bit(peer.worker)) != 0) peer.filters.push_back(match.filter);
    }
    route.peers.push_back(std::move(peer));
  }
}

void work_out(WorkerState& worker, Route& route, RouteVersion version) {
  SubscriptionTree& tree = worker.node.tree();
  route.checked = version;
  route.stamp = tree.stamps().read(route.topic);
  worker.matches.clear();
  tree.match(route.topic, worker.matches);
  route.is_matched = !worker.matches.empty();
  route.newest = 0;
  route.own_filters.clear();
  route.receivers.clear();
  route.peers.clear();
  for (const Match& match : worker.matches) {
    if ((match.workers & bit(worker.index)) != 0) route.own_filters.push_back(match.filter);
  }
  find_receivers(worker, route);
  find_peers(worker, route);
}

// Brings an entry up to date with `version` of the tree.
void check(WorkerState& worker, Route& route, RouteVersion version) {
  if (route.checked == version) return;
  if (worker.node.tree().stamps().is_current(route.stamp)) {
    route.checked = version;
  } else {
    work_out(worker, route, version);
  }
}

// The general way: each subscription is asked.
mqtt::ReasonCode deliver_by_filter(WorkerState& worker, const DeliverMail& mail,
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
        gather(worker, worker.receivers, *subscription);
      }
    }
  }
  Publication publication{mail.message};
  const mqtt::ReasonCode answer = deliver_to(worker, publication, worker.receivers);
  return answer != mqtt::ReasonCode::kSuccess ? answer : code;
}

// True if every subscription behind the route's receivers takes a message that was matched at `version`.
bool takes_all(const WorkerState& worker, const Route& route, RouteVersion version) {
  return route.is_plain && route.newest <= version && worker.moves.is_idle();
}

}  // namespace

Route* known_route(WorkerState& worker, std::string_view topic) { return worker.routes.find(topic); }

RouteOutcome route(WorkerState& worker, Publication& publication, Route* known, const ReportTo& report) {
  const RouteVersion version = worker.node.tree().version();
  if (known == nullptr) known = worker.routes.find(publication.topic());
  if (known == nullptr) {
    known = &worker.routes.insert(publication.topic());
    known->levels = static_cast<std::uint16_t>(mqtt::level_count(publication.topic()));
    work_out(worker, *known, version);
    worker.routes.filled(*known);
  } else {
    check(worker, *known, version);
  }
  const Route& route = *known;
  if (!route.is_matched) {
    ++worker.counters.publish_unrouted;
    return {};
  }
  RouteOutcome outcome{.is_matched = true};
  for (const Route::Peer& peer : route.peers) {
    worker.mailer.deliver(
        peer.worker, {.message = publication.message(), .version = version, .report = report}, peer.filters);
    if (report.connection != 0) ++outcome.awaited;
  }
  if (route.own_filters.empty()) return outcome;
  if (takes_all(worker, route, version) && !publication.retain()) {
    outcome.code = deliver_to(worker, publication, route.receivers);
  } else {
    outcome.code = deliver_by_filter(
        worker, {.message = publication.message(), .version = version, .report = report}, route.own_filters);
  }
  return outcome;
}

RouteOutcome route(WorkerState& worker, const MessageRef& message) {
  Publication publication{message};
  return route(worker, publication, nullptr, {});
}

mqtt::ReasonCode deliver_local(WorkerState& worker, const DeliverMail& mail,
                               std::span<const FilterId> filters) {
  if (mail.scope == DeliverMail::Scope::kAll && mail.message->retained_version() == 0) {
    Route* known = worker.routes.find(mail.message->topic());
    if (known != nullptr) {
      check(worker, *known, worker.node.tree().version());
      if (takes_all(worker, *known, mail.version)) {
        Publication publication{mail.message};
        return deliver_to(worker, publication, known->receivers);
      }
    }
  }
  return deliver_by_filter(worker, mail, filters);
}

}  // namespace nightjar::broker
