#include "broker/session/lifecycle.h"

#include <algorithm>

#include "base/log.h"
#include "broker/routing/group_member.h"
#include "broker/routing/router.h"
#include "broker/session/delivery.h"
#include "broker/session/publish_will.h"
#include "broker/worker_state.h"

namespace nightjar::broker {
namespace {

// Everything that waited for the client is lost with the session; each copy is counted.
void drop_messages(WorkerState& worker, Session& session) {
  session.outbox.for_each([&](const Delivery& waiting) {
    --worker.ledger().waiting;
    drop(worker, session, waiting, DropReason::kSessionEnded);
  });
  if (const Outbox::Spilled* spilled = session.outbox.spilled()) {
    worker.ledger().waiting -= static_cast<std::int64_t>(spilled->count);
    worker.ledger().dropped[static_cast<std::size_t>(DropReason::kSessionEnded)] += spilled->count;
  }
  for (InFlight::Entry* entry : session.in_flight.in_order()) {
    if (entry->state != InFlight::State::kPublished) continue;
    --worker.ledger().in_flight;
    drop(worker, session, entry->delivery, DropReason::kSessionEnded);
  }
  session.outbox = {};
  session.in_flight = {};
  session.replays = {};
}

}  // namespace

Opened open_session(WorkerState& worker, const std::string& client_id, bool clean_start,
                    const ListenerPolicy& policy) {
  Session* session = worker.find_session(client_id);
  if (session != nullptr && clean_start) {
    end_session(worker, *session);
    session = nullptr;
  }
  if (session != nullptr) {
    session->timer.cancel();
    session->will.reset();  // resumed in time: a delayed will is not published [MQTT-3.1.3-9]
    session->will_due = session->ends_at = kNever;
    session->use(policy);
    return {session, true};
  }
  auto made = std::make_unique<Session>(worker, client_id, worker.node.shard_of(client_id),
                                        worker.next_session_serial(), policy);
  session = made.get();
  worker.sessions.insert(std::move(made));
  ++worker.counters.sessions;
  worker.node.sessions().fetch_add(1, std::memory_order_relaxed);
  worker.node.count_weight(session->shard, Node::kSessionWeight);
  return {session, false};
}

void connection_ended(WorkerState& worker, Session& session) {
  session.ends_at =
      session.expiry_s == kExpiryNever ? kNever : worker.now + Duration::seconds(session.expiry_s);
  session.will_due = session.will ? worker.now + Duration::seconds(session.will->delay_s) : kNever;
  if (session.is_clean()) {
    end_session(worker, session);
    return;
  }
  if (session.will_due <= worker.now) publish_will(worker, session);
  worker.journal.put_session(session);
  worker.journal.spill_later(session);
  arm_offline_timer(worker, session);
}

void arm_offline_timer(WorkerState& worker, Session& session) {
  const MonoTime next = std::min(session.will_due, session.ends_at);
  if (next != kNever) worker.timers.arm(session.timer, next);
}

void on_session_timer(WorkerState& worker, Session& session) {
  if (session.connection != nullptr) return worker.pump_later(session);  // a read failed
  if (session.ends_at <= worker.now) {
    ++worker.counters.sessions_expired;
    log::info("session expired", {{"client", session.client_id}});
    end_session(worker, session);
    return;
  }
  if (session.will_due <= worker.now) {
    publish_will(worker, session);
    worker.journal.put_session(session);
  }
  arm_offline_timer(worker, session);
}

void unsubscribe(WorkerState& worker, Session& session, std::string_view text, std::uint32_t operation) {
  const std::unique_ptr<Subscription> gone = session.subscriptions.take(text);
  if (!gone) return;
  --worker.counters.subscriptions;
  worker.node.count_weight(session.shard, -1);
  worker.journal.erase_subscription(session, text);
  if (gone->group) {
    --worker.counters.shared_subscriptions;
    --session.shared_count;
    leave_group(worker, session, *gone, operation);
  } else {
    worker.subscribers.remove(gone->text, *gone);
  }
}

void end_session(WorkerState& worker, Session& session) {
  if (session.will) publish_will(worker, session);
  drop_messages(worker, session);
  worker.forget_pump(session);
  session.timer.cancel();
  worker.journal.forget_session(session);
  session.is_ended = true;
  --worker.counters.sessions;
  worker.node.sessions().fetch_sub(1, std::memory_order_relaxed);
  worker.node.count_weight(session.shard, -Node::kSessionWeight);
  worker.ended_sessions.push_back(worker.sessions.take(session));
}

void forget_ended_sessions(WorkerState& worker) {
  FilterSteps steps = kFilterStepsPerTurn;
  while (!worker.ended_sessions.empty()) {
    Session& session = *worker.ended_sessions.back();
    while (!session.subscriptions.empty()) {
      if (steps <= 0) return;
      const std::string text{session.subscriptions.last().text.view()};
      steps -= steps_of(text);
      unsubscribe(worker, session, text, 0);
    }
    worker.ended_sessions.pop_back();
  }
}

}  // namespace nightjar::broker
