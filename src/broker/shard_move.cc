#include "broker/shard_move.h"

#include <algorithm>
#include <utility>

#include "broker/connections.h"
#include "broker/protocol/acknowledge.h"
#include "broker/protocol/packet_loop.h"
#include "broker/receive_mail.h"
#include "broker/routing/router.h"
#include "broker/session/delivery.h"
#include "broker/session/lifecycle.h"
#include "broker/worker_state.h"

namespace nightjar::broker {
namespace {

ShardMail step(ShardMail::Kind kind, const ShardMail& of) {
  return {.kind = kind,
          .shard = of.shard,
          .old_owner = of.old_owner,
          .new_owner = of.new_owner,
          .state = nullptr};
}

std::uint64_t copies_in(const Session& session, const InFlight& in_flight) {
  std::uint64_t copies = session.outbox.size();
  in_flight.for_each([&copies](const InFlight::Entry& entry) {
    if (entry.state == InFlight::State::kPublished) ++copies;
  });
  return copies;
}

// The difference that sessions make to the ledger of the worker they leave (`sign` -1) or come to (+1).
void account(WorkerState& worker, const Session& session, int sign) {
  const auto waiting = static_cast<std::int64_t>(session.outbox.size());
  const auto copies = static_cast<std::int64_t>(copies_in(session, session.in_flight));
  worker.ledger().waiting += sign * waiting;
  worker.ledger().in_flight += sign * (copies - waiting);
  (sign < 0 ? worker.ledger().handed_over : worker.ledger().taken_over) += static_cast<std::uint64_t>(copies);
  worker.counters.sessions += sign;
  worker.counters.subscriptions += sign * static_cast<std::int64_t>(session.subscriptions.size());
  worker.counters.shared_subscriptions += sign * static_cast<std::int64_t>(session.shared_count);
}

// An authenticator answers on the worker that asked: a client whose re-authentication waits for such an
// answer can't come along.
void close_unanswered(WorkerState& worker, ShardId shard) {
  std::vector<Connection*> unanswered;
  worker.sessions.for_each(shard, [&unanswered](Session& session) {
    Connection* connection = session.connection;
    if (connection != nullptr && connection->is_answer_pending) unanswered.push_back(connection);
  });
  for (Connection* connection : unanswered) {
    close_connection(worker, *connection,
                     {.code = mqtt::ReasonCode::kServerBusy,
                      .why = "its shard moves while a re-authentication is pending"});
  }
}

template <typename Change>
void for_each_unsent(Session& session, Change change) {
  if (session.resend) {
    for (Unsent& waiting : *session.resend) change(waiting);
  }
  if (!session.has_unsent()) return;
  for (Unsent& waiting : *session.stored->unsent) change(waiting);
}

// What the session has not sent waits for commits of the worker that it came from, whose numbers mean nothing
// here.
void wait_for_arrival(Session& session) {
  for_each_unsent(session, [](Unsent& waiting) {
    waiting = {.id = waiting.id, .message = {{}, kNeverDurable}};
  });
  if (session.connection != nullptr) protocol::wait_for_arrival(*session.connection);
}

// Those are durable when the commit `after` of this worker is.
void end_wait_for_arrival(WorkerState& worker, Session& session, CommitNumber after) {
  const CommitPoint point{worker.index, after};
  for_each_unsent(session, [&](Unsent& waiting) {
    if (waiting.message.number != kNeverDurable) return;
    waiting.message = point;
    worker.journal.wait(session, point);
  });
  if (session.connection != nullptr) protocol::end_wait_for_arrival(worker, *session.connection, after);
}

}  // namespace

ShardState::ShardState() = default;
ShardState::~ShardState() = default;

bool ShardMoves::start(WorkerState& worker, ShardId shard, WorkerIndex to) {
  if (!is_ready(shard) || departing_.contains(shard) || to == self_) return false;
  Departing departing{.to = to, .fences_missing = worker.node.worker_count() - 1U};
  ShardMail arrives{.kind = ShardMail::Kind::kArrives,
                    .shard = shard,
                    .old_owner = self_,
                    .new_owner = to,
                    .state = std::make_unique<ShardState>()};
  close_unanswered(worker, shard);
  worker.journal.hand_in_all();
  arrives.not_durable = worker.journal.not_durable();
  set_status(shard, Status::kElsewhere);
  worker.node.set_owner(shard, to);
  pack_sessions(worker, shard, *arrives.state, departing);
  pack_groups(worker, shard, *arrives.state, departing);
  // Mail for what is kept may be on its way to both, until the fences are in.
  worker.node.count_stored(to, departing.stored);
  departing_.emplace(shard, std::move(departing));
  ++worker.counters.shard_moves;
  const ShardMail mark = step(ShardMail::Kind::kMark, arrives);
  worker.mailer.post(to, std::move(arrives));
  for (std::uint16_t other = 0; other < worker.node.worker_count(); ++other) {
    if (other != self_.value && other != to.value) worker.mailer.post({other}, step(mark.kind, mark));
  }
  return true;
}

void ShardMoves::pack_sessions(WorkerState& worker, ShardId shard, ShardState& state, Departing& departing) {
  state.sessions = worker.sessions.take_shard(shard);
  for (const auto& session : state.sessions) {
    worker.forget_pump(*session);
    session->timer.cancel();
    worker.journal.forget_waiting(*session);
    if (session->stored) {
      ++departing.stored;
      session->stored->is_loading = false;
    }
    account(worker, *session, -1);
    for (const auto& subscription : session->subscriptions) {
      if (subscription->group) continue;
      if (departing.filters.emplace(subscription->filter, subscription->text).second) {
        worker.subscribers.pin(subscription->filter);
      }
      worker.subscribers.remove(subscription->text, *subscription);
    }
    if (session->connection != nullptr) {
      state.connections.push_back(release_connection(worker, *session->connection));
      --worker.counters.clients_connected;
    }
  }
}

void ShardMoves::pack_groups(WorkerState& worker, ShardId shard, ShardState& state, Departing& departing) {
  state.groups = worker.groups.take(shard);
  for (const auto& group : state.groups) {
    const auto waiting = group->waiting();
    worker.ledger().waiting -= static_cast<std::int64_t>(waiting);
    worker.ledger().handed_over += waiting;
    if (group->stored() != nullptr) ++departing.stored;
    Subscription& subscription = group->subscription();
    if (departing.filters.emplace(subscription.filter, subscription.text).second) {
      worker.subscribers.pin(subscription.filter);
    }
    worker.subscribers.remove(subscription.text, subscription);
  }
}

void ShardMoves::install(WorkerState& worker, ShardMail mail) {
  Arriving& arriving = arriving_[mail.shard];
  set_status(mail.shard, Status::kArriving);
  arriving.has_state = true;
  arriving.after = worker.journal.follow(mail.not_durable);
  arriving.marks_missing += worker.node.worker_count() - 2U;
  std::vector<Subscription*> moved;
  for (auto& session : mail.state->sessions) {
    session->outbox.forget_parts();
    session->in_flight.forget_parts();
    wait_for_arrival(*session);
    session->worker = &worker;
    session->route_mark = 0;  // it was of the other worker's messages
    account(worker, *session, +1);
    for (const auto& subscription : session->subscriptions) {
      if (subscription->group) continue;
      worker.subscribers.add(subscription->text, *subscription);
      moved.push_back(subscription.get());
    }
    worker.sessions.insert(std::move(session));
  }
  for (auto& group : mail.state->groups) {
    worker.ledger().waiting += static_cast<std::int64_t>(group->waiting());
    worker.ledger().taken_over += group->waiting();
    worker.subscribers.add(group->key().filter, group->subscription());
    moved.push_back(&group->subscription());
    worker.groups.put(std::move(group));
  }
  const RouteVersion version = worker.node.tree().advance_version();
  for (Subscription* subscription : moved) subscription->moved_since = version;
  for (auto& connection : mail.state->connections) {
    Connection& here = adopt_connection(worker, std::move(connection));
    here.transport().pause_reading();
    ++worker.counters.clients_connected;
  }
  worker.mailer.post(mail.old_owner, step(ShardMail::Kind::kFence, mail));
  for (std::uint16_t other = 0; other < worker.node.worker_count(); ++other) {
    if (other == self_.value || other == mail.old_owner.value) continue;
    worker.mailer.post({other}, step(ShardMail::Kind::kFenceRequest, mail));
  }
}

void ShardMoves::on_mail(WorkerState& worker, ShardMail mail) {
  switch (mail.kind) {
    case ShardMail::Kind::kArrives: {
      const ShardId shard = mail.shard;
      install(worker, std::move(mail));
      complete_if_ready(worker, shard);
      break;
    }
    case ShardMail::Kind::kMark:
      worker.mailer.post(mail.new_owner, step(ShardMail::Kind::kMarkSeen, mail));
      break;
    case ShardMail::Kind::kMarkSeen:
      // May come before kArrives: the count then wraps below zero and is made good there.
      --arriving_[mail.shard].marks_missing;
      complete_if_ready(worker, mail.shard);
      break;
    case ShardMail::Kind::kFenceRequest:
      worker.mailer.post(mail.old_owner, step(ShardMail::Kind::kFence, mail));
      break;
    case ShardMail::Kind::kFence:
      if (--departing_.at(mail.shard).fences_missing == 0) release(worker, mail.shard);
      break;
    case ShardMail::Kind::kFencesComplete:
      arriving_[mail.shard].has_fences = true;
      complete_if_ready(worker, mail.shard);
      break;
  }
}

void ShardMoves::release(WorkerState& worker, ShardId shard) {
  Departing& departing = departing_.at(shard);
  ShardMail complete{.kind = ShardMail::Kind::kFencesComplete,
                     .shard = shard,
                     .old_owner = self_,
                     .new_owner = departing.to,
                     .state = nullptr};
  const WorkerIndex to = departing.to;
  complete_departure(worker, shard);
  worker.mailer.post(to, std::move(complete));
}

void ShardMoves::complete_departure(WorkerState& worker, ShardId shard) {
  const auto found = departing_.find(shard);
  for (const auto& [id, filter] : found->second.filters) worker.subscribers.unpin(filter, id);
  worker.node.count_stored(self_, -found->second.stored);
  departing_.erase(found);
}

void ShardMoves::complete_if_ready(WorkerState& worker, ShardId shard) {
  const auto found = arriving_.find(shard);
  if (!found->second.has_state || !found->second.has_fences || found->second.marks_missing != 0) return;
  Arriving arrived = std::move(found->second);
  arriving_.erase(found);
  set_status(shard, Status::kReady);
  worker.sessions.for_each(shard,
                           [&](Session& session) { end_wait_for_arrival(worker, session, arrived.after); });
  const bool is_within_older = std::exchange(worker.is_taking_older_mail, true);
  // They come under the commits that they came with.
  const Journal::OwnPart outside(worker.journal);
  for (Held& held : arrived.deliveries) {
    held.mail.scope = DeliverMail::Scope::kHeld;
    held.mail.shard = shard;
    worker.journal.begin_part(std::move(held.commit));
    deliver_local(worker, held.mail, held.filters);
    worker.journal.end_part();
  }
  for (HeldMail& held : arrived.mail) {
    worker.journal.begin_part(std::move(held.commit));
    receive_addressed(worker, std::move(held.mail));
    worker.journal.end_part();
  }
  worker.is_taking_older_mail = is_within_older;
  // What follows may end sessions, so it walks over a list of its own.
  std::vector<std::string> ids;
  worker.sessions.for_each(shard, [&ids](const Session& session) { ids.push_back(session.client_id); });
  for (const std::string& id : ids) {
    Session* session = worker.sessions.find(shard, id);
    if (session == nullptr) continue;
    if (session->connection == nullptr) {
      arm_offline_timer(worker, *session);
    } else {
      worker.pump_later(*session);
      protocol::on_committed(worker, *session->connection);
      protocol::resume_later(worker, *session->connection);
    }
  }
}

void ShardMoves::forward_departed(WorkerState& worker, const DeliverMail& mail,
                                  std::span<const FilterId> filters) {
  if (departing_.empty()) return;
  for (const auto& [shard, departing] : departing_) {
    std::vector<FilterId> hit;
    for (const FilterId filter : filters) {
      if (departing.filters.contains(filter)) hit.push_back(filter);
    }
    if (hit.empty()) continue;
    DeliverMail forwarded = mail;
    forwarded.scope = DeliverMail::Scope::kForwarded;
    forwarded.shard = shard;
    forwarded.report = {};
    worker.mailer.deliver(departing.to, std::move(forwarded), hit, worker.journal.present_commit());
  }
}

void ShardMoves::hold(WorkerState& worker, ShardId shard, const DeliverMail& mail,
                      std::span<const FilterId> filters) {
  std::vector<Held>& held = arriving_[shard].deliveries;
  if (!held.empty() && held.back().mark == worker.route_mark) return;
  held.push_back(
      {worker.route_mark, mail, {filters.begin(), filters.end()}, worker.journal.keep_part_open()});
  held.back().mail.report = {};
}

bool ShardMoves::redirect(WorkerState& worker, AddressedMail& mail) {
  const WorkerIndex owner = worker.node.owner_of(mail.shard);
  if (owner != self_) {
    mail.is_forwarded = true;
    worker.mailer.post(owner, std::move(mail), worker.journal.present_commit());
    return true;
  }
  if (is_ready(mail.shard)) return false;
  Arriving& arriving = arriving_[mail.shard];
  if (mail.is_forwarded && arriving.has_state) return false;
  arriving.mail.push_back({std::move(mail), worker.journal.keep_part_open()});
  return true;
}

}  // namespace nightjar::broker
