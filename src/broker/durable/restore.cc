#include "broker/durable/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "broker/routing/group_member.h"
#include "broker/session/lifecycle.h"
#include "broker/worker.h"
#include "broker/worker_state.h"
#include "mqtt/topic.h"

namespace nightjar::broker {

Restore::Restore(Node& node, std::span<Worker* const> workers,
                 std::span<const ListenerPolicy* const> listeners)
    : node_(node), workers_(workers.begin(), workers.end()), listeners_(listeners.begin(), listeners.end()) {}
Restore::~Restore() = default;

WorkerState& Restore::owner(ShardId shard) { return workers_[node_.owner_of(shard).value]->state(); }

const ListenerPolicy& Restore::policy_of(std::string_view listener) const {
  const auto same =
      std::find_if(listeners_.begin(), listeners_.end(),
                   [listener](const ListenerPolicy* policy) { return policy->name == listener; });
  return same == listeners_.end() ? *listeners_.front() : **same;
}

void Restore::note_unreadable(std::string_view table, std::string_view key) {
  if (found_.unreadable++ != 0) return;
  for (const char c : key) {
    const bool is_plain = c >= 0x20 && c < 0x7F;
    found_.first_unreadable +=
        is_plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  found_.first_unreadable = fmt::format("{} {}", table, found_.first_unreadable);
}

// ---- sessions ----

void Restore::session_row(std::string_view key, std::string_view value) {
  const auto read = read_session_key(key);
  bool is_good = read.has_value();
  if (is_good && read->is_group) {
    is_good = put_group_row(*read, value);
  } else if (is_good && read->kind == 'h') {
    is_good = put_session(*read, value);
  } else if (is_good) {
    // Without its header the session is unknown, and so is what else is said of it.
    is_good = present_ != nullptr && present_client_ == read->name;
    if (is_good && read->kind == 'p') is_good = put_packet_ids(value);
    if (is_good && read->kind == 's') is_good = put_subscription(*read, value);
    if (is_good && read->kind == 'w') is_good = put_will(value);
  }
  if (!is_good) note_unreadable("session", key);
}

bool Restore::put_session(const SessionKey& key, std::string_view value) {
  present_ = nullptr;
  const auto record = read_session(value, node_.store_clock());
  if (!record || node_.shard_of(key.name) != key.shard || kept_.contains(record->queue)) return false;
  WorkerState& worker = owner(key.shard);
  Session& session = *open_session(worker, std::string(key.name), false, policy_of(record->listener)).session;
  session.expiry_s = record->expiry_s;
  session.user_name = record->user_name;
  session.will_due = record->will_due;
  session.stored = std::make_unique<StoredSession>();
  session.stored->queue = {key.shard, record->queue};
  node_.count_stored(worker.index, 1);
  const bool was_connected = record->left == kNever;
  const MonoTime left = was_connected ? worker.now : record->left;
  session.ends_at = session.expiry_s == kExpiryNever ? kNever : left + Duration::seconds(session.expiry_s);
  auto kept = std::make_unique<Kept>();
  kept->session = &session;
  kept->queue = session.stored->queue;
  kept->was_connected = was_connected;
  present_ = kept.get();
  present_client_ = key.name;
  kept_.emplace(record->queue, std::move(kept));
  ++found_.sessions;
  return true;
}

bool Restore::put_packet_ids(std::string_view value) {
  auto record = read_packet_ids(value);
  if (!record) return false;
  Session& session = *present_->session;
  for (const std::uint16_t id : record->incoming) session.incoming_ids.insert({id});
  session.in_flight.set_last_id({record->last_id});
  session.stored->next_sequence = std::max(session.stored->next_sequence, record->waiting_from);
  session.stored->gone.insert(record->gone.begin(), record->gone.end());
  present_->ids = std::move(*record);
  return true;
}

bool Restore::put_subscription(const SessionKey& key, std::string_view value) {
  const auto record = read_subscription(value);
  mqtt::SharedFilter shared;
  const bool is_shared = mqtt::is_shared(key.detail);
  if (!record || (is_shared && !mqtt::parse_shared(key.detail, shared))) return false;
  Session& session = *present_->session;
  WorkerState& worker = *session.worker;
  auto made = std::make_unique<Subscription>();
  made->session = &session;
  made->text = key.detail;
  made->qos = record->qos;
  made->identifier = record->identifier;
  made->no_local = record->no_local;
  made->retain_as_published = record->retain_as_published;
  Subscription& entered = session.subscriptions.insert(std::move(made));
  ++worker.counters.subscriptions;
  worker.node.count_weight(session.shard, 1);
  ++found_.subscriptions;
  if (!is_shared) {
    entered.since = worker.subscribers.add(entered.text, entered);
    return true;
  }
  ++worker.counters.shared_subscriptions;
  ++session.shared_count;
  entered.group = std::make_shared<const GroupKey>(shared.share_name, shared.filter,
                                                   node_.shard_of_group(shared.share_name, shared.filter));
  entered.membership = ++session.last_membership;
  groups_[entered.group->text].has_member = true;
  join_group(worker, session, entered, 0);
  return true;
}

bool Restore::put_will(std::string_view value) {
  auto will = read_will(value);
  if (!will) return false;
  present_->session->will = std::make_unique<Will>(std::move(*will));
  present_->session->stored->has_will = true;
  ++found_.wills;
  return true;
}

// ---- groups ----

bool Restore::put_group_row(const SessionKey& key, std::string_view value) {
  Group& group = groups_[std::string(key.name)];
  if (key.kind == 'q') {
    const auto queue = read_group_queue(value);
    if (queue) group.queue = *queue;
    return queue.has_value();
  }
  auto record = read_group(value);
  if (record && record->version >= group.record.version) group.record = std::move(*record);
  return record.has_value();
}

// When all sessions are known: a group whose last member left is garbage.
void Restore::make_groups() {
  if (std::exchange(has_groups_, true)) return;
  for (auto& [text, group] : groups_) {
    mqtt::SharedFilter shared;
    if (!mqtt::parse_shared(text, shared)) continue;
    // The store knows nothing of a group that nothing ever waited for. It must be there all the same, before
    // its members have joined it by mail: somebody may publish first.
    if (group.queue == 0) group.queue = node_.next_queue_id();
    const ShardId shard = node_.shard_of_group(shared.share_name, shared.filter);
    if (!group.has_member) {
      garbage_.erase_range(Table::kSessions, group_begin_key(shard, text), group_end_key(shard, text));
      continue;
    }
    WorkerState& worker = owner(shard);
    SharedGroup& made =
        worker.groups.make(worker, std::make_shared<const GroupKey>(shared.share_name, shared.filter, shard));
    made.restore({shard, group.queue}, group.record);
    node_.count_stored(worker.index, 1);
    auto kept = std::make_unique<Kept>();
    kept->group = &made;
    kept->queue = {shard, group.queue};
    kept->group_record = std::move(group.record);
    kept_.emplace(group.queue, std::move(kept));
  }
}

// ---- messages ----

bool Restore::meta_row(std::string_view key, std::string_view value) {
  make_groups();
  if (key.empty() || key.front() != kStretchKind) return false;
  const auto read = read_stretch_key(key);
  const auto record = read ? read_stretch(value) : std::nullopt;
  if (!record) {
    note_unreadable("meta", key);
    return true;
  }
  const auto known = kept_.find(read->queue.id);
  if (known != kept_.end()) {
    auto& stretches = known->second->stretches;
    if (stretches.empty() || stretches.back().first != read->first)
      stretches.push_back({.first = read->first, .record = {}});
    stretches.back().record += *record;
  } else if (std::exchange(garbage_queue_, read->queue.id) != read->queue.id) {
    // Of a session that ended while a message for it was on its way to the disk.
    erase_queue(garbage_, read->queue);
  }
  return true;
}

// What was sent, or may have been, must be here: the session goes on with its packet ids. What only waits
// need not.
void Restore::choose_rows(Kept& kept) {
  kept.first_spilled = kept.stretches.size();
  if (kept.session == nullptr) return;
  const OverflowPolicy overflow = kept.session->policy->queue.overflow;
  if (overflow == OverflowPolicy::kDropOld || overflow == OverflowPolicy::kConflate) return;
  std::uint64_t newest_sent = 0;
  for (const PacketIdsRecord::Sent& sent : kept.ids.sent) newest_sent = std::max(newest_sent, sent.sequence);
  while (kept.first_spilled != 0) {
    const auto& [begin, record] = kept.stretches[kept.first_spilled - 1];
    if (record.has_ids || begin < kept.ids.waiting_from || begin <= newest_sent) break;
    --kept.first_spilled;
  }
  // What comes late for a stretch can lie behind the beginning of the next.
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < kept.stretches.size(); ++i) {
    if (i >= kept.first_spilled && last < kept.stretches[i].first) break;
    kept.first_spilled = std::max(kept.first_spilled, i + 1);
    last = std::max(last, kept.stretches[i].record.last_sequence);
  }
}

std::vector<std::pair<std::string, std::string>> Restore::rows_to_read() {
  std::vector<std::pair<std::string, std::string>> ranges;
  for (auto& [id, kept] : kept_) {
    choose_rows(*kept);
    if (kept->first_spilled == 0) continue;
    const bool is_all = kept->first_spilled == kept->stretches.size();
    ranges.emplace_back(queue_key(kept->queue, kept->stretches.front().first),
                        is_all ? queue_end_key(kept->queue)
                               : queue_key(kept->queue, kept->stretches[kept->first_spilled].first));
  }
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

void Restore::put_rows(Kept& kept) {
  QueueRows& rows = kept.group != nullptr ? kept.group->stored()->rows : kept.session->stored->rows;
  for (const Stretch& each : kept.stretches) rows.restore(each.first, each.record.last_sequence);
}

void Restore::spill_rest(Kept& kept) {
  if (kept.session == nullptr) return;
  StoredSession& stored = *kept.session->stored;
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < kept.stretches.size(); ++i) {
    const auto& [begin, record] = kept.stretches[i];
    stored.next_sequence = std::max({stored.next_sequence, begin + 1, record.last_sequence + 1});
    if (i < kept.first_spilled) continue;
    count += record.count;
    bytes += record.bytes;
  }
  if (count == 0) return;
  const std::uint64_t first = kept.stretches[kept.first_spilled].first;
  const auto gone =
      static_cast<std::uint64_t>(std::distance(stored.gone.lower_bound(first), stored.gone.end()));
  count -= std::min(count, gone);
  kept.session->outbox.set_spilled(count, bytes, first);
  WorkerState& worker = *kept.session->worker;
  worker.ledger().routed += count;
  worker.ledger().waiting += static_cast<std::int64_t>(count);
  found_.messages += count;
}

void Restore::queue_row(std::string_view key, std::string_view value) {
  const auto read = read_queue_key(key);
  auto entries = read ? read_queue_value(value, node_.store_clock()) : std::nullopt;
  if (!entries) return note_unreadable("message", key);
  if (read->queue.id != queue_) {
    finish_queue();
    queue_ = read->queue.id;
    const auto known = kept_.find(queue_);
    queue_of_ = known == kept_.end() ? nullptr : known->second.get();
    if (queue_of_ == nullptr) return note_unreadable("message", key);
    for (const PacketIdsRecord::Sent& sent : queue_of_->ids.sent) sent_.emplace(sent.sequence, sent);
  }
  if (queue_of_ == nullptr) return;
  last_sequence_ = std::max(last_sequence_, read->row);
  for (QueueEntry& entry : *entries) put_entry(*queue_of_, read->row, std::move(entry));
}

void Restore::put_entry(Kept& kept, std::uint64_t row, QueueEntry entry) {
  if (kept.group != nullptr) {
    const GroupRecord& record = kept.group_record;
    const bool is_live = row >= record.next_sequence || entry.sequence >= record.next_sequence ||
                         std::binary_search(record.live.begin(), record.live.end(), entry.sequence);
    if (!is_live) return;
    ++found_.messages;
    kept.group->restore(owner(kept.group->key().shard), row, entry.sequence, std::move(entry.message),
                        entry.enqueued);
    return;
  }
  last_sequence_ = std::max(last_sequence_, entry.sequence);
  const auto sent = sent_.find(entry.sequence);
  if (sent != sent_.end()) {
    in_flight_.emplace(entry.sequence, std::move(entry));
    return;
  }
  Session& session = *kept.session;
  if (entry.sequence < kept.ids.waiting_from || session.stored->gone.contains(entry.sequence)) return;
  if (entry.id.value != 0) {
    sent_.emplace(entry.sequence, PacketIdsRecord::Sent{entry.sequence, entry.id, false});
    in_flight_.emplace(entry.sequence, std::move(entry));
    return;
  }
  waiting_.push_back(std::move(entry));
}

void Restore::put_waiting(Session& session, QueueEntry entry) {
  ++found_.messages;
  ++session.worker->ledger().routed;
  ++session.worker->ledger().waiting;
  session.outbox.push({.message = std::move(entry.message),
                       .qos = entry.qos,
                       .retain = entry.retain,
                       .is_kept = true,
                       .enqueued = entry.enqueued,
                       .subscription_ids = std::move(entry.subscription_ids),
                       .sequence = entry.sequence});
}

void Restore::put_in_flight(Session& session, const PacketIdsRecord::Sent& sent, QueueEntry entry) {
  // One of two with the same id was acknowledged, and that can only be the older one.
  if (InFlight::Entry* older = session.in_flight.find(sent.id); older != nullptr) {
    if (older->state == InFlight::State::kPublished) {
      --session.worker->ledger().in_flight;
      ++session.worker->ledger().delivered;
    }
    session.in_flight.erase(*older);
  }
  const bool has_message = static_cast<bool>(entry.message);
  if (!sent.is_released && !has_message) return;  // it was acknowledged before it had to be written
  if (!sent.is_released) {
    ++found_.messages;
    ++session.worker->ledger().routed;
    ++session.worker->ledger().in_flight;
  }
  session.in_flight.restore(sent.id,
                            sent.is_released ? InFlight::State::kReleased : InFlight::State::kPublished,
                            {.message = sent.is_released ? MessageRef{} : std::move(entry.message),
                             .qos = has_message ? entry.qos : mqtt::Qos::kExactlyOnce,
                             .retain = entry.retain,
                             .is_kept = true,
                             .enqueued = entry.enqueued,
                             .subscription_ids = std::move(entry.subscription_ids),
                             .sequence = sent.sequence});
}

// What waited is sent in its place among what was sent: the note of a packet id that was given to a
// message which waited comes to the store a little later, and can be lost when a younger message, which was
// sent at once, is not. Returns the ids that they have now.
std::vector<mqtt::PacketId> Restore::give_lost_ids(Session& session) {
  const std::uint64_t newest = sent_.empty() ? 0 : sent_.rbegin()->first;
  std::set<std::uint16_t> taken;
  for (const auto& [sequence, sent] : sent_) taken.insert(sent.id.value);
  std::uint16_t id = sent_.empty() ? std::uint16_t{0} : sent_.rbegin()->second.id.value;
  std::vector<mqtt::PacketId> given;
  for (QueueEntry& entry : waiting_) {
    if (entry.sequence > newest) {
      put_waiting(session, std::move(entry));
      continue;
    }
    do {
      ++id;
    } while (id == 0 || taken.contains(id));
    taken.insert(id);
    given.push_back({id});
    const std::uint64_t sequence = entry.sequence;
    sent_.emplace(sequence, PacketIdsRecord::Sent{sequence, {id}, false});
    in_flight_.emplace(sequence, std::move(entry));
  }
  waiting_.clear();
  return given;
}

void Restore::finish_queue() {
  if (queue_of_ != nullptr && queue_of_->session != nullptr) {
    Session& session = *queue_of_->session;
    const mqtt::PacketId last_id = session.in_flight.last_id();
    const std::vector<mqtt::PacketId> given = give_lost_ids(session);
    for (const auto& [sequence, sent] : sent_) {
      QueueEntry entry;
      if (const auto found = in_flight_.find(sequence); found != in_flight_.end())
        entry = std::move(found->second);
      put_in_flight(session, sent, std::move(entry));
    }
    const bool was_given_later = !sent_.empty() && queue_of_->ids.sent.empty();
    session.in_flight.set_last_id(was_given_later ? sent_.rbegin()->second.id : last_id);
    session.stored->next_sequence = std::max(session.stored->next_sequence, last_sequence_ + 1);
    queue_of_->ids.sent.clear();
    for (const mqtt::PacketId id : given) {
      InFlight::Entry& entry = *session.in_flight.find(id);
      // Of QoS 2 nothing is sent before its id is durable, so this was not.
      entry.was_sent = entry.delivery.qos == mqtt::Qos::kAtLeastOnce;
    }
    if (!given.empty()) session.worker->journal.touch(session, false);  // durable before the next CONNACK is
  }
  queue_ = 0;
  queue_of_ = nullptr;
  sent_.clear();
  in_flight_.clear();
  last_sequence_ = 0;
}

void Restore::retained_row(std::string_view topic, std::string_view value) {
  MessageRef message = read_retained(topic, value, node_.store_clock());
  if (!message || message->payload().empty()) return note_unreadable("retained", topic);
  if (node_.retained().store(std::move(message))) ++found_.retained;
}

// ---- the end ----

void Restore::start_time(Kept& kept, Changes& changes) {
  Session& session = *kept.session;
  WorkerState& worker = *session.worker;
  // Released QoS 2 messages have no row in the queues any more.
  queue_of_ = &kept;
  for (const PacketIdsRecord::Sent& sent : kept.ids.sent) sent_.emplace(sent.sequence, sent);
  finish_queue();
  spill_rest(kept);
  if (kept.was_connected) {
    session.will_due = session.will ? worker.now + Duration::seconds(session.will->delay_s) : kNever;
    changes.put(Table::kSessions, session_key(session.shard, session.client_id, 'h'),
                write_session({.queue = session.stored->queue.id,
                               .expiry_s = session.expiry_s,
                               .user_name = std::string(session.user_name.view()),
                               .listener = session.policy->name,
                               .left = worker.now,
                               .will_due = session.will_due},
                              node_.store_clock()));
  }
  arm_offline_timer(worker, session);
}

Restored Restore::finish(Changes& changes) {
  make_groups();
  finish_queue();
  changes = std::move(garbage_);
  for (auto& [queue, kept] : kept_) {
    put_rows(*kept);
    if (kept->session != nullptr) start_time(*kept, changes);
  }
  return found_;
}

}  // namespace nightjar::broker
