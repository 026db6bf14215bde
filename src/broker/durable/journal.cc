#include "broker/durable/journal.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "broker/connection.h"
#include "broker/durable/run.h"
#include "broker/protocol/acknowledge.h"
#include "broker/routing/shared_group.h"
#include "broker/session/session.h"
#include "broker/worker_state.h"

namespace nightjar::broker {
namespace {

// How long a message waits for its receivers' acknowledgements before it is written. A commit of nothing but
// such messages is none that the disk has to see.
constexpr Duration kElisionTime{2};
// While acknowledgements keep coming, what is missing is on its way through sockets and queues of a flood:
// then it is worth waiting longer. Receivers that take longer than the second are not waited for at all.
constexpr Duration kElisionTimeMax{60};
constexpr std::int64_t kPromptMs = 40;
// Packet ids that nobody waits for are written this much later at the latest: what a crash forgets of them
// makes a QoS 1 message come twice.
constexpr Duration kTouchTime{20};
// While the store takes nothing, it is asked again this often.
constexpr Duration kRetryTime = Duration::seconds(1);
constexpr std::size_t kLateTopicsPerTurn = 1000;
constexpr Duration kTimeInterval = Duration::seconds(60);
// Messages of a client that is away which are held in memory all the same: a short absence costs no reading.
constexpr std::size_t kHeldOfAbsent = 8;
// Memory for the messages of parts to come: so many parts, of so many messages at most.
constexpr std::size_t kSparePartsMax = 16;
constexpr std::size_t kSparePendingMax = 8192;
// Of one value in the queues: what a reader of a long queue gets at a time.
constexpr std::size_t kQueueValueBytesMax = 64 * 1024;

std::size_t count_from(std::uint32_t first, std::uint32_t number) {
  return static_cast<std::uint32_t>(number - first);
}

}  // namespace

Journal::Journal(Node& node, WorkerIndex self)
    : node_(node),
      self_(self),
      is_on_(!node.ports().store.is_volatile()),
      waiting_sessions_(node.worker_count()) {}

Journal::~Journal() = default;

// ---- parts ----

Journal::Part& Journal::add_part(std::shared_ptr<Commit> commit) {
  Part& made = parts_.emplace_back();
  made.commit = std::move(commit);
  if (!spare_pending_.empty()) {
    made.pending = std::move(spare_pending_.back());
    spare_pending_.pop_back();
  }
  return made;
}

void Journal::keep_for_later(std::vector<Pending>&& pending) {
  const std::size_t capacity = pending.capacity();
  if (capacity == 0 || capacity > kSparePendingMax || spare_pending_.size() == kSparePartsMax) return;
  pending.clear();
  spare_pending_.push_back(std::move(pending));
}

Journal::Part& Journal::own_part() {
  if (own_ != 0) return part(own_);
  auto commit = std::make_shared<Commit>(self_, ++last_number_, node_.worker_count());
  node_.ports().store.announce(commit);
  Part& made = add_part(std::move(commit));
  own_ = first_part_ + static_cast<std::uint32_t>(parts_.size()) - 1;
  return made;
}

Journal::Part& Journal::present_part() { return current_ != 0 ? part(current_) : own_part(); }

std::uint32_t Journal::present_number() {
  if (current_ != 0) return current_;
  own_part();
  return own_;
}

Changes& Journal::own_changes(bool is_awaited) {
  Part& own = own_part();
  own.is_awaited |= is_awaited;
  if (is_awaited) ++count_;
  return noted(own.commit->part(self_));
}

// With the time, now and then: a machine that is booted anew goes on from there.
Changes& Journal::noted(Changes& changes) {
  if (now_ >= time_due_) {
    time_due_ = now_ + kTimeInterval;
    write_time(changes, node_.store_clock(), now_);
  }
  return changes;
}

CommitNumber Journal::turn() { return own_part().commit->at().number; }

// ---- sessions ----

void Journal::keep(Session& session, const Will* will) {
  if (!session.stored) {
    session.stored = std::make_unique<StoredSession>();
    session.stored->queue = {session.shard, node_.next_queue_id()};
    node_.count_stored(self_, 1);
  }
  Changes& changes = own_changes(true);
  if (will != nullptr) {
    changes.put(Table::kSessions, session_key(session.shard, session.client_id, 'w'), write_will(*will));
    session.stored->has_will = true;
  }
  put_session(session);
  if (will == nullptr && session.stored->has_will) {
    changes.erase(Table::kSessions, session_key(session.shard, session.client_id, 'w'));
    session.stored->has_will = false;
  }
}

void Journal::put_session(const Session& session) {
  if (!session.stored) return;
  Changes& changes = own_changes(false);
  const bool is_here = session.connection != nullptr;
  const SessionRecord record{.queue = session.stored->queue.id,
                             .expiry_s = session.expiry_s,
                             .user_name = std::string(session.user_name.view()),
                             .listener = session.policy->name,
                             .left = is_here ? kNever : now_,
                             .will_due = is_here ? kNever : session.will_due};
  changes.put(Table::kSessions, session_key(session.shard, session.client_id, 'h'),
              write_session(record, node_.store_clock()));
  const bool has_lost_will = !is_here && session.stored->has_will && !session.will;
  if (!has_lost_will) return;
  changes.erase(Table::kSessions, session_key(session.shard, session.client_id, 'w'));
  session.stored->has_will = false;
}

void Journal::forget_session(Session& session) {
  if (!session.stored) return;
  forget_waiting(session);
  if (session.stored->is_touched) std::erase(touched_, &session);
  if (session.stored->is_to_spill) std::erase(to_spill_, &session);
  const QueueName queue = session.stored->queue;
  Changes& changes = own_changes(true);
  changes.erase_range(Table::kSessions, session_key(session.shard, session.client_id, 0),
                      session_end_key(session.shard, session.client_id));
  erase_queue(changes, queue);
  cancel_pending(queue);
  node_.count_stored(self_, -1);
  session.stored.reset();
}

void Journal::cancel_pending(const QueueName& queue) {
  for (Part& waiting : parts_) {
    for (Pending& pending : waiting.pending) {
      if (pending.queue.id != queue.id || !pending.entry.message) continue;
      pending.entry.message = {};
      --waiting.live;
    }
  }
}

void Journal::put_subscription(const Session& session, const Subscription& subscription) {
  if (!session.stored) return;
  own_changes(true).put(Table::kSessions,
                        session_key(session.shard, session.client_id, 's', subscription.text.view()),
                        write_subscription({.identifier = subscription.identifier,
                                            .qos = subscription.qos,
                                            .no_local = subscription.no_local,
                                            .retain_as_published = subscription.retain_as_published}));
}

void Journal::erase_subscription(const Session& session, std::string_view text) {
  if (!session.stored) return;
  own_changes(true).erase(Table::kSessions, session_key(session.shard, session.client_id, 's', text));
}

void Journal::retained_changed(std::string_view topic, bool is_awaited) {
  if (!is_on_) return;
  if (is_awaited || !node_.ports().store.is_refusing()) return own_changes(is_awaited).refresh(topic);
  touches_due_ = std::min(touches_due_, now_ + kRetryTime);
  if (late_topics_.add(topic)) return;
  log::warn(
      "the store takes nothing at present, and more retained messages of QoS 0 have changed meanwhile than "
      "are remembered: after a restart some will be those of before");
}

// ---- messages ----

Journal::Pending& Journal::add_pending(std::uint32_t number, QueueName queue, QueueRows& rows) {
  ++count_;
  Part& to = part(number);
  ++to.live;
  Pending& pending = to.pending.emplace_back();
  pending.queue = queue;
  pending.rows = &rows;
  pending.stint = rows.stint(number);
  return pending;
}

void Journal::add(Session& session, Delivery& delivery, mqtt::PacketId id) {
  StoredSession& stored = *session.stored;
  delivery.part = present_number();
  Part& present = part(delivery.part);
  delivery.sequence = stored.next_sequence++;
  delivery.slot = static_cast<std::uint32_t>(present.pending.size());
  Pending& pending = add_pending(delivery.part, stored.queue, stored.rows);
  pending.row = delivery.sequence;
  pending.entry = {.sequence = delivery.sequence,
                   .message = delivery.message,
                   .qos = delivery.qos,
                   .retain = delivery.retain,
                   .id = id,
                   .enqueued = now_,
                   .subscription_ids = delivery.subscription_ids};
  const bool may_be_elided =
      id.value != 0 && delivery.qos == mqtt::Qos::kAtLeastOnce && stored.answer_ms <= kPromptMs;
  if (!may_be_elided) present.is_awaited = true;
}

Journal::Pending* Journal::pending_of(std::uint32_t number, std::uint32_t slot, std::uint64_t sequence) {
  if (number == 0 || count_from(first_part_, number) >= parts_.size()) return nullptr;
  std::vector<Pending>& pending = part(number).pending;
  if (slot >= pending.size() || pending[slot].entry.sequence != sequence) return nullptr;
  return pending[slot].entry.message ? &pending[slot] : nullptr;
}

void Journal::forget_kept(Session& session, const Delivery& delivery) {
  if (!session.stored) return;
  StoredSession& stored = *session.stored;
  // A quarter of the newest time an answer took.
  stored.answer_ms += ((now_ - delivery.enqueued).ms - stored.answer_ms) / 4;
  Pending* pending = pending_of(delivery.part, delivery.slot, delivery.sequence);
  if (pending != nullptr && pending->queue.id == stored.queue.id) {
    pending->entry.message = {};
    --part(delivery.part).live;
    last_elided_ = now_;
    return;
  }
  note_gone(session, delivery);
  touch(session, false);
}

void Journal::give_away(Session& session, const Delivery& delivery) {
  if (delivery.sequence == 0 || !session.stored) return;
  depend(point_of(delivery));
  note_gone(session, delivery);
  touch(session, true);
}

void Journal::depend(const CommitPoint& earlier) {
  if (earlier.origin != self_ && !is_durable(earlier)) own_part().commit->depend(earlier);
}

CommitNumber Journal::follow(const std::vector<CommitPoint>& earlier) {
  const bool are_durable = std::all_of(earlier.begin(), earlier.end(),
                                       [this](const CommitPoint& point) { return is_durable(point); });
  if (are_durable) return 0;
  for (const CommitPoint& point : earlier) depend(point);
  // An empty commit would be durable at once.
  write_time(own_changes(true), node_.store_clock(), now_);
  return turn();
}

void Journal::note_gone(Session& session, const Delivery& delivery) {
  StoredSession& stored = *session.stored;
  const bool is_from_middle = session.outbox.has_front() &&
                              (stored.is_conflated || delivery.sequence > session.outbox.front().sequence);
  if (is_from_middle) stored.gone.insert(delivery.sequence);
}

void Journal::touch(Session& session, bool is_awaited) {
  if (!session.stored) return;
  if (is_awaited) {
    ++count_;
    own_part().is_awaited = true;
    is_touch_awaited_ = true;
  }
  if (session.stored->is_touched) return;
  session.stored->is_touched = true;
  touched_.push_back(&session);
  touches_due_ = std::min(touches_due_, now_ + kTouchTime);
}

CommitPoint Journal::point_of(const Delivery& delivery) const {
  if (delivery.part == 0) return {};
  if (count_from(first_part_, delivery.part) < parts_.size())
    return parts_[count_from(first_part_, delivery.part)].commit->at();
  const auto at = std::find_if(handed_in_.begin(), handed_in_.end(),
                               [&](const HandedIn& handed_in) { return handed_in.part == delivery.part; });
  return at == handed_in_.end() ? CommitPoint{} : at->point;
}

CommitPoint Journal::add(SharedGroup& group, Place place, const MessageRef& message, MonoTime enqueued) {
  Part& present = present_part();
  SharedGroup::Stored& stored = *group.stored();
  // The name of the queue comes with its first messages, whichever of their commits is first.
  if (stored.named.number == 0 || !is_durable(stored.named)) {
    present.commit->part(self_).put(Table::kSessions, group_queue_key(group.key().shard, group.key().text),
                                    write_group_queue(stored.queue.id));
    if (stored.named.number == 0) stored.named = present.commit->at();
  }
  Pending& pending = add_pending(present_number(), stored.queue, stored.rows);
  pending.row = place.row;
  pending.entry = {.sequence = place.sequence,
                   .message = message,
                   .qos = message->qos(),
                   .enqueued = enqueued,
                   .subscription_ids = {}};
  present.is_awaited = true;
  return present.commit->at();
}

void Journal::touch(SharedGroup& group) {
  if (!group.stored() || group.stored()->is_touched) return;
  group.stored()->is_touched = true;
  touched_groups_.push_back(&group);
  touches_due_ = std::min(touches_due_, now_ + kTouchTime);
}

void Journal::forget_group(SharedGroup& group) {
  if (!group.stored()) return;
  std::erase(touched_groups_, &group);
  const QueueName queue = group.stored()->queue;
  Changes& changes = own_changes(true);
  changes.erase_range(Table::kSessions, group_begin_key(group.key().shard, group.key().text),
                      group_end_key(group.key().shard, group.key().text));
  erase_queue(changes, queue);
  cancel_pending(queue);
  node_.count_stored(self_, -1);
}

// ---- mail ----

std::shared_ptr<Commit> Journal::join(WorkerIndex to) {
  if (!is_on_ || to == self_ || !node_.has_stored(to)) return nullptr;
  ++count_;
  return own_part().commit;
}

std::shared_ptr<Commit> Journal::present_commit() {
  if (!is_on_) return nullptr;
  ++count_;
  return present_part().commit;
}

void Journal::begin_part(std::shared_ptr<Commit> commit) {
  if (!commit) return;
  add_part(std::move(commit));
  current_ = first_part_ + static_cast<std::uint32_t>(parts_.size()) - 1;
}

void Journal::end_part() {
  if (current_ == 0) return;
  seal(part(current_), now_);
  current_ = 0;
}

std::shared_ptr<Commit> Journal::keep_part_open() {
  if (!is_on_) return nullptr;
  ++count_;  // whoever sent it waits for what is put off as well
  std::shared_ptr<Commit> commit = present_part().commit;
  commit->add_part(self_);
  return commit;
}

// ---- waiting ----

bool Journal::is_durable(CommitPoint point) const {
  return point.number == 0 || point.number <= node_.ports().store.committed(point.origin);
}

void Journal::wait(Connection& connection, CommitNumber number) {
  if (connection.waits_until == number) return;
  connection.waits_until = number;
  ++connection.waits;
  waiting_connections_.push_back({number, &connection});
}

void Journal::wait(Session& session, CommitPoint point) {
  if (is_durable(point)) return;
  auto& line = waiting_sessions_[point.origin.value];
  if (!line.empty() && line.back().session == &session && line.back().number == point.number) return;
  ++session.stored->waits;
  line.push_back({point.number, &session});
}

void Journal::forget_waiting(Connection& connection) {
  connection.waits_until = 0;  // the next worker's numbers are others
  if (connection.waits == 0) return;
  for (WaitingConnection& waiting : waiting_connections_) {
    if (waiting.connection == &connection) waiting.connection = nullptr;
  }
  connection.waits = 0;
}

void Journal::forget_waiting(Session& session) {
  if (!session.stored) return;
  if (session.stored->is_to_spill) std::erase(to_spill_, &session);
  session.stored->is_to_spill = false;
  if (session.stored->waits == 0) return;
  for (auto& line : waiting_sessions_) {
    for (WaitingSession& waiting : line) {
      if (waiting.session == &session) waiting.session = nullptr;
    }
  }
  session.stored->waits = 0;
}

void Journal::look(WorkerState& worker) {
  is_to_look_ = false;
  while (!handed_in_.empty() && is_durable(handed_in_.front().point)) handed_in_.pop_front();
  const Store& store = node_.ports().store;
  const CommitNumber own = store.committed(self_);
  while (!waiting_connections_.empty() && waiting_connections_.front().number <= own) {
    const WaitingConnection first = waiting_connections_.front();
    waiting_connections_.pop_front();
    if (first.connection == nullptr) continue;
    --first.connection->waits;
    protocol::on_committed(worker, *first.connection);
  }
  for (std::uint16_t origin = 0; origin < waiting_sessions_.size(); ++origin) {
    auto& line = waiting_sessions_[origin];
    if (line.empty()) continue;
    const CommitNumber committed = store.committed({origin});
    while (!line.empty() && line.front().number <= committed) {
      Session* const session = line.front().session;
      line.pop_front();
      if (session == nullptr) continue;
      --session->stored->waits;
      worker.pump_later(*session);
    }
  }
  spill();
}

void Journal::spill_later(Session& session) {
  const OverflowPolicy overflow = session.policy->queue.overflow;
  // These change messages that wait already.
  const bool is_changing = overflow == OverflowPolicy::kDropOld || overflow == OverflowPolicy::kConflate;
  if (!session.stored || session.stored->is_to_spill || is_changing) return;
  session.stored->is_to_spill = true;
  to_spill_.push_back(&session);
}

void Journal::spill() {
  std::erase_if(to_spill_, [this](Session* session) {
    const bool may = session->connection == nullptr && session->outbox.size() > kHeldOfAbsent;
    const bool is_something_left = may && session->outbox.spill([this](const Delivery& delivery) {
      return is_durable(point_of(delivery));
    });
    session->stored->is_to_spill = is_something_left;
    return !is_something_left;
  });
}

// ---- turns ----

void Journal::write_packet_ids_of(Session& session) {
  StoredSession& stored = *session.stored;
  PacketIdsRecord record{.waiting_from = stored.next_sequence, .last_id = session.in_flight.last_id().value};
  if (const Outbox::Spilled* spilled = session.outbox.spilled())
    record.waiting_from = spilled->first_sequence;
  session.outbox.for_each_while([&](const Delivery& waiting) {
    if (waiting.sequence != 0) record.waiting_from = std::min(record.waiting_from, waiting.sequence);
    return waiting.sequence == 0 || stored.is_conflated;  // in order of the sequences, the first is the least
  });
  if (session.outbox.empty()) stored.is_conflated = false;
  stored.gone.erase(stored.gone.begin(), stored.gone.lower_bound(record.waiting_from));
  record.gone.assign(stored.gone.begin(), stored.gone.end());
  for (const InFlight::Entry* entry : session.in_flight.in_order()) {
    if (entry->delivery.sequence == 0) continue;
    record.sent.push_back(
        {entry->delivery.sequence, entry->packet_id, entry->state == InFlight::State::kReleased});
  }
  record.incoming = session.incoming_ids.in_order();
  write_packet_ids(record, value_);
  own_changes(false).put(Table::kSessions, session_key(session.shard, session.client_id, 'p'), value_);
  std::uint64_t oldest = record.waiting_from == stored.next_sequence ? UINT64_MAX : record.waiting_from;
  for (const PacketIdsRecord::Sent& sent : record.sent) {
    if (!sent.is_released) oldest = std::min(oldest, sent.sequence);
  }
  reclaim(stored.queue, stored.rows, oldest);
}

void Journal::write_group_of(SharedGroup& group, Changes& changes) {
  const GroupRecord record = group.next_record(*this);
  const GroupKey& key = group.key();
  changes.put(Table::kSessions, group_record_key(key.shard, key.text, record.version), write_group(record));
  reclaim(group.stored()->queue, group.stored()->rows,
          record.live.empty() ? UINT64_MAX : record.live.front());
}

void Journal::reclaim(const QueueName& queue, QueueRows& rows, std::uint64_t oldest) {
  const auto gone = rows.reclaim(oldest);
  if (!gone) return;
  Changes& changes = own_changes(false);
  // Ranges make every later look at the table dearer.
  if (gone->is_one_row) {
    changes.erase(Table::kQueues, queue_key(queue, gone->first));
  } else {
    changes.erase_range(Table::kQueues, queue_key(queue, gone->first), queue_key(queue, gone->end));
  }
  erase_stretches(changes, queue, gone->first, gone->end);
}

void Journal::write_touched() {
  for (Session* session : touched_) {
    session->stored->is_touched = false;
    write_packet_ids_of(*session);
  }
  touched_.clear();
  for (SharedGroup* group : touched_groups_) {
    group->stored()->is_touched = false;
    Changes& changes = own_changes(false);
    const GroupKey& key = group->key();
    // Those in front of the new one, unless their commits are later.
    changes.erase_range(Table::kSessions, group_record_key(key.shard, key.text, 0),
                        group_record_key(key.shard, key.text, group->stored()->version + 1));
    write_group_of(*group, changes);
  }
  touched_groups_.clear();
  touches_due_ = kNever;
  is_touch_awaited_ = false;
}

void Journal::write_late_topics() {
  if (late_topics_.empty()) return;
  const bool is_refusing = node_.ports().store.is_refusing();
  if (!is_refusing)
    late_topics_.take(kLateTopicsPerTurn,
                      [this](std::string_view topic) { own_changes(false).refresh(topic); });
  if (!late_topics_.empty()) touches_due_ = now_ + (is_refusing ? kRetryTime : Duration{1});
}

void Journal::seal(Part& part, MonoTime now) {
  part.is_open = false;
  const bool waits = part.live != 0 && !part.is_awaited;
  part.sealed = now;
  part.due = waits ? now + kElisionTime : now;
}

// One value for entries of a queue that follow each other.
void Journal::write_pending(Part& part) {
  if (part.live == 0) return;
  sorted_.clear();
  for (const Pending& pending : part.pending) {
    if (pending.entry.message) sorted_.push_back(&pending);
  }
  std::sort(sorted_.begin(), sorted_.end(), [](const Pending* a, const Pending* b) {
    return a->queue.id != b->queue.id ? a->queue.id < b->queue.id : a->row < b->row;
  });
  Changes& changes = noted(part.commit->part(self_));
  for (std::size_t next = 0; next < sorted_.size();) next = write_row(next, *part.commit, changes);
}

std::size_t Journal::write_row(std::size_t first, Commit& commit, Changes& changes) {
  const Pending& begin = *sorted_[first];
  QueueValueWriter writer(value_, commit.at(), node_.incarnation(), node_.store_clock());
  StretchRecord brought;
  std::size_t next = first;
  do {
    const QueueEntry& entry = sorted_[next++]->entry;
    writer.add(entry);
    brought += {.count = 1,
                .bytes = entry.message->size(),
                .last_sequence = entry.sequence,
                .has_ids = entry.id.value != 0};
  } while (next < sorted_.size() && sorted_[next]->queue.id == begin.queue.id &&
           sorted_[next]->stint == begin.stint && !sorted_[next]->is_returned() &&
           value_.size() < kQueueValueBytesMax);
  changes.put(Table::kQueues, queue_key(begin.queue, begin.row), value_);
  const QueueRows::Noted noted = begin.rows->add(begin.row, brought, commit.at());
  changes.put(Table::kMeta, stretch_key(begin.queue, noted.stretch, commit.at().origin),
              write_stretch(noted.record));
  return next;
}

void Journal::hand_in_first() {
  Part& first = parts_.front();
  write_pending(first);
  const std::shared_ptr<Commit> commit = std::move(first.commit);
  const std::uint32_t number = first_part_++;
  keep_for_later(std::move(first.pending));
  parts_.pop_front();
  handed_in_.push_back({number, commit->at()});
  if (commit->hand_in() && node_.ports().store.ready(*commit)) is_to_look_ = true;
}

// In order: a part that somebody waits for takes along those in front of it, whose commits come first anyway.
void Journal::hand_in_due() {
  std::size_t due = 0;
  for (std::size_t i = 0; i < parts_.size() && !parts_[i].is_open; ++i) {
    if (parts_[i].is_awaited) due = i + 1;
  }
  const bool is_busy = node_.ports().store.is_busy();
  while (!parts_.empty() && !parts_.front().is_open) {
    const Part& first = parts_.front();
    const bool is_moving = now_ - last_elided_ <= kElisionTime && now_ - first.sealed < kElisionTimeMax;
    const bool is_over = first.live == 0 || (first.due <= now_ && !is_busy && !is_moving);
    if (due == 0 && !is_over) return;
    if (due != 0) --due;
    hand_in_first();
  }
}

void Journal::finish_turn(WorkerState& worker) {
  if (!is_on_) return;
  now_ = worker.now;
  const bool has_touches = !touched_.empty() || !touched_groups_.empty() || !late_topics_.empty();
  if (!has_touches) touches_due_ = kNever;  // what was touched is gone
  // While the store takes nothing, what nobody waits for is not added to what it has to catch up on.
  const bool is_put_off = node_.ports().store.is_refusing() && !is_touch_awaited_;
  if (has_touches && is_put_off) touches_due_ = now_ + kRetryTime;
  if (has_touches && !is_put_off && (is_touch_awaited_ || own_ != 0 || touches_due_ <= now_)) {
    write_touched();
    write_late_topics();
  }
  if (own_ != 0) seal(part(own_), now_);
  own_ = 0;
  hand_in_due();
  if (is_to_look_) look(worker);
}

MonoTime Journal::next_deadline() const {
  if (own_ != 0) return now_;
  MonoTime next = touches_due_;
  if (!parts_.empty()) next = std::min(next, std::max(parts_.front().due, now_ + Duration{1}));
  return next;
}

void Journal::hand_in_all() {
  if (!is_on_) return;
  write_touched();
  if (own_ != 0) seal(part(own_), now_);
  own_ = 0;
  while (!parts_.empty() && !parts_.front().is_open) hand_in_first();
}

void Journal::end() {
  if (!is_on_) return;
  late_topics_.take(SIZE_MAX, [this](std::string_view topic) { own_changes(false).refresh(topic); });
  hand_in_all();
}

std::vector<CommitPoint> Journal::not_durable() const {
  std::vector<CommitPoint> points(node_.worker_count());
  // A part that was kept open is handed in behind those of later commits.
  for (const HandedIn& handed_in : handed_in_) {
    CommitPoint& last = points[handed_in.point.origin.value];
    if (handed_in.point.number > last.number) last = handed_in.point;
  }
  std::erase_if(points, [this](const CommitPoint& point) { return is_durable(point); });
  return points;
}

}  // namespace nightjar::broker
