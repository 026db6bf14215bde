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
                            const std::vector<Receiver>& receivers,
                            const std::vector<SharedGroup*>& groups = {}) {
  mqtt::ReasonCode code = mqtt::ReasonCode::kSuccess;
  const auto note = [&code](mqtt::ReasonCode answer) {
    if (answer != mqtt::ReasonCode::kSuccess) code = answer;
  };
  for (const Receiver& receiver : receivers) {
    if (receiver.session->is_ended) continue;  // its subscriptions go in the next turns
    ++worker.ledger().routed;
    note(deliver(worker, publication, receiver, groups.empty() && &receiver == &receivers.back()));
  }
  for (SharedGroup* const& group : groups) {
    // A group also writes what waited before, and its member may be one of the receivers.
    publication.forget_written();
    note(group->push(worker, publication, &group == &groups.back()));
  }
  return code;
}

// ---- the way of a topic, worked out once ----

void find_receivers(WorkerState& worker, Route& route) {
  ++worker.route_mark;
  route.is_plain = true;
  for (const FilterId filter : route.own_filters) {
    const TargetList* targets = worker.subscribers.find(filter);
    if (targets == nullptr) continue;
    for (const Subscription* subscription : *targets) {
      if (subscription->no_local) {
        route.is_plain = false;
        route.receivers.clear();
        route.groups.clear();
        return;
      }
      route.newest = std::max({route.newest, subscription->since, subscription->moved_since});
      if (subscription->shared_group != nullptr) {
        route.groups.push_back(subscription->shared_group);
      } else {
        gather(worker, route.receivers, *subscription);
      }
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
  route.groups.clear();
  route.peers.clear();
  for (const Match& match : worker.matches) {
    if ((match.workers & bit(worker.index)) != 0) route.own_filters.push_back(match.filter);
  }
  find_receivers(worker, route);
  find_peers(worker, route);
}

// True if every subscription behind the route takes a message that was matched at `version`.
bool takes_all(const WorkerState& worker, const Route& route, RouteVersion version) {
  return route.is_plain && route.newest <= version && worker.moves.is_idle();
}

// The route of a topic as it is at `version` of the tree.
Route& route_of(WorkerState& worker, std::string_view topic, Route* known, RouteVersion version) {
  if (known == nullptr) known = worker.routes.find(topic);
  if (known != nullptr) {
    if (known->checked == version) return *known;
    if (worker.node.tree().stamps().is_current(known->stamp)) {
      known->checked = version;
    } else {
      work_out(worker, *known, version);
    }
    return *known;
  }
  Route& made = worker.routes.insert(topic);
  made.levels = static_cast<std::uint16_t>(mqtt::level_count(topic));
  work_out(worker, made, version);
  worker.routes.filled(made);
  return made;
}

void send_to_peer(WorkerState& worker, Publication& publication, const Route::Peer& peer,
                  RouteVersion version, const ReportTo& report) {
  const bool may_be_stored = publication.qos() != mqtt::Qos::kAtMostOnce;
  const auto commit = may_be_stored ? worker.journal.join(peer.worker) : nullptr;
  if (report.connection == 0 && !publication.retain() && publication.size() <= kSmallBytesMax) {
    worker.mailer.deliver_small(peer.worker, publication.parts(), version, peer.filters, commit);
  } else {
    worker.mailer.deliver(peer.worker,
                          {.message = publication.message(), .version = version, .report = report},
                          peer.filters, commit);
  }
}

}  // namespace

Route* known_route(WorkerState& worker, std::string_view topic) { return worker.routes.find(topic); }

bool needs_store(WorkerState& worker, std::string_view topic, Route* known) {
  const Route& route = route_of(worker, topic, known, worker.node.tree().version());
  const auto is_kept = [](const Receiver& receiver) { return receiver.session->stored != nullptr; };
  return std::any_of(route.peers.begin(), route.peers.end(),
                     [&worker](const Route::Peer& peer) { return worker.node.has_stored(peer.worker); }) ||
         std::any_of(route.receivers.begin(), route.receivers.end(), is_kept) ||
         std::any_of(route.groups.begin(), route.groups.end(),
                     [](SharedGroup* group) { return group->stored() != nullptr; }) ||
         (!route.is_plain && worker.node.has_stored(worker.index));
}

RouteOutcome route(WorkerState& worker, Publication& publication, Route* known, const ReportTo& report) {
  const RouteVersion version = worker.node.tree().version();
  const Route& route = route_of(worker, publication.topic(), known, version);
  if (!route.is_matched) {
    if (!publication.topic().starts_with("$SYS/")) ++worker.counters.publish_unrouted;
    return {};
  }
  RouteOutcome outcome{.is_matched = true};
  for (const Route::Peer& peer : route.peers) {
    send_to_peer(worker, publication, peer, version, report);
    if (report.connection != 0) ++outcome.awaited;
  }
  if (route.own_filters.empty()) return outcome;
  if (takes_all(worker, route, version) && !publication.retain()) {
    outcome.code = deliver_to(worker, publication, route.receivers, route.groups);
  } else {
    outcome.code = deliver_local(
        worker, {.message = publication.message(), .version = version, .report = report}, route.own_filters);
  }
  return outcome;
}

RouteOutcome route(WorkerState& worker, const MessageRef& message) {
  Publication publication{message};
  return route(worker, publication, nullptr, {});
}

void deliver_local(WorkerState& worker, Publication& publication, RouteVersion version,
                   std::span<const FilterId> filters) {
  const Route& route = route_of(worker, publication.topic(), nullptr, worker.node.tree().version());
  if (takes_all(worker, route, version)) {
    deliver_to(worker, publication, route.receivers, route.groups);
  } else {
    deliver_local(worker, {.message = publication.message(), .version = version}, filters);
  }
}

// The general way: each subscription is asked.
mqtt::ReasonCode deliver_local(WorkerState& worker, const DeliverMail& mail,
                               std::span<const FilterId> filters) {
  ++worker.route_mark;
  worker.receivers.clear();
  mqtt::ReasonCode code = mqtt::ReasonCode::kSuccess;
  const bool is_direct = mail.scope == DeliverMail::Scope::kAll;
  if (is_direct) worker.moves.forward_departed(worker, mail, filters);
  for (const FilterId filter : filters) {
    const TargetList* targets = worker.subscribers.find(filter);
    if (targets == nullptr) continue;
    for (Subscription* subscription : *targets) {
      const ShardId shard = shard_of(*subscription);
      if (!accepts(*subscription, mail, shard)) continue;
      if (is_direct && !worker.moves.is_ready(shard)) {
        worker.moves.hold(worker, shard, mail, filters);
        continue;
      }
      if (subscription->shared_group != nullptr) {
        Publication publication{mail.message};
        const mqtt::ReasonCode answer = subscription->shared_group->push(worker, publication, true);
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

}  // namespace nightjar::broker
