#include "broker/worker.h"

#include <algorithm>

#include "base/log.h"
#include "broker/connections.h"
#include "broker/housekeeping.h"
#include "broker/protocol/filter_work.h"
#include "broker/protocol/packet_loop.h"
#include "broker/receive_mail.h"
#include "broker/session/delivery.h"
#include "broker/session/lifecycle.h"
#include "broker/sys_topics.h"
#include "broker/worker_state.h"

namespace nightjar::broker {
namespace {

// Mail to oneself may cause more of it; what is left after this many rounds waits for the next turn.
constexpr int kOwnMailRounds = 8;

std::string_view why_closed(TransportEnd end) {
  switch (end) {
    case TransportEnd::kPeerClosed:
      return "the peer closed the connection without DISCONNECT";
    case TransportEnd::kStreamOver:
      return "the stream that carried MQTT ended without DISCONNECT";
    case TransportEnd::kError:
      break;
  }
  return "network error";
}

void close_marked(WorkerState& worker) {
  while (!worker.to_close.empty()) {
    const WorkerState::Closing closing = worker.to_close.back();
    worker.to_close.pop_back();
    close_connection(worker, *closing.connection, {.code = closing.code, .why = closing.why});
  }
}

void resume_marked(WorkerState& worker) {
  std::vector<Connection*> batch;
  batch.swap(worker.to_resume);
  while (!batch.empty()) {
    Connection* connection = batch.back();
    batch.pop_back();
    // What one resumes may close another, which is then still allocated (dead until the end of the turn).
    if (connection->is_open() && connection->is_to_resume) protocol::resume(worker, *connection);
  }
}

void note_publishes(WorkerState& worker) {
  if (worker.counters.publish_received == worker.publishes_noted) return;
  worker.publishes_noted = worker.counters.publish_received;
  worker.node.note_publish(worker.now);
}

// With a new share of the worker's time, the replays that wait for one come first.
void renew_replay_share(WorkerState& worker) {
  if (!worker.replay_share.renew(worker.now, worker.node.last_publish())) return;
  worker.to_pump.insert(worker.to_pump.begin(), worker.to_replay.begin(), worker.to_replay.end());
  worker.to_replay.clear();
}

void pump_marked(WorkerState& worker) {
  renew_replay_share(worker);
  std::vector<Session*> batch;
  batch.swap(worker.to_pump);
  for (Session* session : batch) session->is_to_pump = false;
  std::vector<Session*>& waiting = worker.to_replay;
  const std::size_t before = waiting.size();
  std::size_t served = before;
  for (Session* session : batch) {
    const bool has_share = !worker.replay_share.is_used_up();
    pump(worker, *session);
    if (has_share && worker.replay_share.is_used_up()) served = waiting.size();
  }
  // Who found nothing left of the share comes before those that had some of it.
  const auto at = [&waiting](std::size_t place) {
    return waiting.begin() + static_cast<std::ptrdiff_t>(std::min(place, waiting.size()));
  };
  std::rotate(at(before), at(served), waiting.end());
}

// What the mail causes to be stored belongs to the commit that it came with.
void take(WorkerState& worker, MailBatch& batch) {
  worker.journal.begin_part(std::move(batch.commit));
  receive_batch(worker, batch);
  worker.journal.end_part();
}

void retire_dead(WorkerState& worker) {
  for (auto& connection : worker.dead) {
    std::unique_ptr<Transport> transport = connection->take_transport();
    Transport& self = *transport;
    self.retire(std::move(transport));
  }
  worker.dead.clear();
}

}  // namespace

WorkerState::WorkerState(Worker& worker, Node& shared, WorkerIndex self)
    : face(worker),
      node(shared),
      index(self),
      work(shared.work_of(self)),
      now(shared.ports().clock.now()),
      timers(now),
      journal(shared, self),
      mailer(shared.ports().peers, self, shared.worker_count()),
      subscribers(shared.tree(), self),
      moves(shared.policy().shards, self),
      sessions(shared.policy().shards, shared.ports().entropy.next()),
      started(now) {
  for (std::uint16_t shard = 0; shard < shared.policy().shards; ++shard) {
    if (shared.owner_of({shard}) == self) moves.set_ready({shard});
  }
}

WorkerState::~WorkerState() {
  // Sessions refer to connections and timers of this structure; end them in that order.
  journal.end();
  connections.clear();
  dead.clear();
  ended_sessions.clear();
  sessions.clear();
}

MonoTime WorkerState::next_replay() const { return to_replay.empty() ? kNever : replay_share.next(); }

void WorkerState::forget_pump(Session& session) {
  if (!session.is_to_pump) return;
  session.is_to_pump = false;
  std::erase(to_pump, &session);
  std::erase(to_replay, &session);
}

Worker::Worker(Node& node, WorkerIndex index) : state_(std::make_unique<WorkerState>(*this, node, index)) {
  if (index.value != 0) return;
  start_sys_topics(*state_);
  start_housekeeping(*state_);
}

Worker::~Worker() = default;

WorkerIndex Worker::index() const { return state_->index; }

void Worker::begin_turn(MonoTime now) {
  state_->now = now;
  state_->node.tree().online(state_->index);
  state_->filter_steps_left = kFilterStepsPerTurn;
  state_->retained_visits_left = kRetainedVisitsPerTurn;
  state_->journal.begin_turn(now);
  state_->timers.advance(now);
}

void Worker::end_turn() {
  WorkerState& worker = *state_;
  for (int round = 0; round < kOwnMailRounds; ++round) {
    close_marked(worker);
    resume_marked(worker);
    worker.groups.dispatch_marked(worker);
    std::unique_ptr<MailBatch> own = worker.mailer.take_own();
    const bool is_done =
        worker.to_close.empty() && worker.to_resume.empty() && !worker.groups.has_to_dispatch();
    if (!own && is_done) break;
    if (!own) continue;
    worker.is_taking_older_mail = true;
    take(worker, *own);
    worker.is_taking_older_mail = false;
    worker.mailer.recycle(std::move(own));
  }
  note_publishes(worker);
  protocol::continue_filter_work(worker);
  forget_ended_sessions(worker);
  pump_marked(worker);
  worker.drain.finish_turn(worker);
  close_marked(worker);
  worker.journal.finish_turn(worker);
  worker.mailer.flush();
  retire_dead(worker);
  worker.node.tree().quiescent(worker.index);
}

MonoTime Worker::next_deadline() const {
  const bool is_busy = !state_->to_pump.empty() || !state_->to_resume.empty() || state_->mailer.has_own() ||
                       state_->groups.has_to_dispatch() || !state_->filter_workers.empty() ||
                       !state_->ended_sessions.empty();
  if (is_busy) return state_->now;
  return std::min({state_->timers.next_deadline(), state_->journal.next_deadline(), state_->next_replay()});
}

bool Worker::owns_shards() const { return state_->moves.owns_any(); }

void Worker::wait_begins() { state_->node.tree().offline(state_->index); }

Connection& Worker::accept(std::unique_ptr<Transport> transport, const ListenerPolicy& policy) {
  WorkerState& worker = *state_;
  auto made = std::make_unique<Connection>(std::move(transport), policy, worker.next_connection_serial());
  made->connected_at = made->last_received = worker.now;
  ++worker.counters.connections_opened;
  Connection& connection = adopt_connection(worker, std::move(made));
  worker.timers.arm(connection.timer, worker.now + policy.connect_timeout);
  using Answer = ConnectionCounts::Answer;
  const Answer answer = worker.node.connections().enter(policy, worker.node.policy().connections_max);
  connection.is_counted = answer != Answer::kNotCounted;
  if (answer == Answer::kTooManyAndNew) {
    log::warn("more connections than are allowed (max_connections); new ones are closed",
              {{"listener", policy.name}});
  }
  if (answer == Answer::kTooMany || answer == Answer::kTooManyAndNew) {
    ++worker.counters.connections_refused;
    close_connection(worker, connection, {.why = "too many connections", .is_expected = true});
  } else if (worker.drain.has_begun()) {
    close_connection(worker, connection, {.why = "the broker is shutting down", .is_expected = true});
  }
  return connection;
}

void Worker::on_bytes(Connection& connection, ByteView bytes) {
  protocol::receive(*state_, connection, bytes);
}

std::span<std::byte> Worker::room_for_rest(Connection& connection) {
  return protocol::room_for_rest(connection);
}

void Worker::on_rest(Connection& connection, std::size_t count) {
  protocol::receive_rest(*state_, connection, count);
}

void Worker::on_closed(Connection& connection, TransportEnd end) {
  close_connection(*state_, connection, {.why = why_closed(end), .is_expected = true});
}

void Worker::on_drained(Connection& connection) {
  if (connection.session != nullptr) state_->pump_later(*connection.session);
}

void Worker::on_mail(std::unique_ptr<MailBatch> batch) {
  take(*state_, *batch);
  state_->mailer.recycle(std::move(batch));
}

void Worker::drain() { state_->drain.begin(*state_); }

bool Worker::is_drained() const { return state_->drain.has_said_goodbye(); }

const Counters& Worker::counters() const { return state_->counters; }

}  // namespace nightjar::broker
