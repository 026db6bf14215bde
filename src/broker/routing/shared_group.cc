#include "broker/routing/shared_group.h"

#include <algorithm>
#include <utility>

#include "broker/routing/group_member.h"
#include "broker/worker_state.h"

namespace nightjar::broker {

SharedGroup::SharedGroup(GroupKeyRef key) : key_(std::move(key)) {
  subscription_.shared_group = this;
  subscription_.text = key_->filter;
  subscription_.qos = mqtt::Qos::kExactlyOnce;
}

SharedGroup::Member* SharedGroup::find(std::string_view client_id) {
  const auto at = places_.find(client_id);
  return at == places_.end() ? nullptr : &members_[at->second];
}

SharedGroup::Member& SharedGroup::add(const ClientIdRef& client_id) {
  places_.emplace(*client_id, members_.size());
  Member& member = members_.emplace_back();
  member.client_id = client_id;
  return member;
}

void SharedGroup::remove(Member& member) {
  const auto at = static_cast<std::size_t>(&member - members_.data());
  places_.erase(*member.client_id);
  if (at + 1 != members_.size()) {
    member = std::move(members_.back());
    places_.find(*member.client_id)->second = at;
  }
  members_.pop_back();
}

void SharedGroup::count_settled(Member& member) {
  if (member.assigned == 0) return;
  --member.assigned;
  least_assigned_ = std::min(least_assigned_, member.assigned);
}

SharedGroup::Member* SharedGroup::choose(SharedStrategy strategy, const Source& source) {
  switch (strategy) {
    case SharedStrategy::kLeastInFlight:
      return choose_least_in_flight();
    case SharedStrategy::kRoundRobin:
      return choose_round_robin();
    case SharedStrategy::kSticky:
      return choose_sticky();
    case SharedStrategy::kHashByClient:
      return choose_by_hash(source.origin);
    case SharedStrategy::kHashByTopic:
      return choose_by_hash(std::hash<std::string_view>{}(source.topic));
  }
  return nullptr;
}

SharedGroup::Member* SharedGroup::choose_least_in_flight() {
  Member* best = nullptr;
  // Equals take turns, or the first member would get everything that is acknowledged at once.
  for (std::size_t i = 1; i <= members_.size(); ++i) {
    const std::size_t at = (last_chosen_ + i) % members_.size();
    Member& member = members_[at];
    if (!member.is_online || member.assigned >= member.window) continue;
    if (best == nullptr || member.assigned < best->assigned) best = &member;
    if (best->assigned <= least_assigned_) break;
  }
  if (best == nullptr) return nullptr;
  least_assigned_ = best->assigned;
  last_chosen_ = static_cast<std::size_t>(best - members_.data());
  return best;
}

SharedGroup::Member* SharedGroup::choose_round_robin() {
  for (std::size_t i = 1; i <= members_.size(); ++i) {
    const std::size_t at = (last_chosen_ + i) % members_.size();
    Member& member = members_[at];
    if (!member.is_online || member.assigned >= member.window) continue;
    last_chosen_ = at;
    return &member;
  }
  return nullptr;
}

SharedGroup::Member* SharedGroup::choose_sticky() {
  Member* member = sticky_ ? find(*sticky_) : nullptr;
  if (member == nullptr || !member->is_online) {
    const auto at =
        std::find_if(members_.begin(), members_.end(), [](const Member& m) { return m.is_online; });
    if (at == members_.end()) return nullptr;
    sticky_ = at->client_id;
    member = &*at;
  }
  return member;
}

SharedGroup::Member* SharedGroup::choose_by_hash(std::size_t hash) {
  std::vector<Member*> online;
  for (Member& member : members_) {
    if (member.is_online) online.push_back(&member);
  }
  // Whatever its window: what it cannot take yet waits in its own queue, not in front of the other members.
  return online.empty() ? nullptr : online[hash % online.size()];
}

bool SharedGroup::is_full(const QueueLimits& limits, std::size_t size) const {
  return waiting_.size() >= limits.messages_max ||
         (!waiting_.empty() && waiting_bytes_ + size > limits.bytes_max);
}

mqtt::ReasonCode SharedGroup::push(WorkerState& worker, Publication& publication, bool is_last) {
  ++worker.ledger().routed;
  if (publication.qos() == mqtt::Qos::kAtMostOnce) {
    assign_unacknowledged(worker, publication, is_last);
    return mqtt::ReasonCode::kSuccess;
  }
  const bool is_next = waiting_.empty() && publication.expires() > worker.now;
  Member* member =
      is_next ? choose(worker.node.policy().shared_strategy, {publication.origin(), publication.topic()})
              : nullptr;
  if (member == nullptr) return enqueue(worker, publication.message());
  ++member->assigned;
  const std::uint64_t sequence = next_sequence_++;
  // At hand, the member's session keeps it in the same commit.
  const bool is_given = gives_away(*member, publication.qos()) && worker.is_at_hand(member->shard);
  if (stored_ && !is_given) {
    const CommitPoint stored =
        worker.journal.add(*this, {sequence, sequence}, publication.message(), worker.now);
    note_assigned(worker, sequence, gives_away(*member, publication.qos()), stored);
  }
  assign(worker, *member, publication, sequence, is_last, gives_away(*member, publication.qos()));
  return mqtt::ReasonCode::kSuccess;
}

void SharedGroup::keep(WorkerState& worker) {
  if (stored_ || !worker.journal.is_on()) return;
  stored_ = std::make_unique<Stored>();
  stored_->queue = {key_->shard, worker.node.next_queue_id()};
  worker.node.count_stored(worker.index, 1);
}

GroupRecord SharedGroup::next_record(Journal& journal) {
  GroupRecord record{.version = ++stored_->version, .next_sequence = next_sequence_, .live = {}};
  std::set<std::uint64_t> live = stored_->with_members;
  for (const Waiting& waiting : waiting_) {
    if (!waiting.is_kept) continue;
    live.insert(live.end(), waiting.sequence);
    // Until the commit of its return, the member has it and the group only an old row of it.
    if (waiting.is_returned) journal.depend(waiting.stored);
  }
  record.live.assign(live.begin(), live.end());
  return record;
}

void SharedGroup::restore(QueueName queue, const GroupRecord& record) {
  stored_ = std::make_unique<Stored>();
  stored_->queue = queue;
  stored_->version = record.version;
  next_sequence_ = record.next_sequence;
}

void SharedGroup::restore(WorkerState& worker, std::uint64_t row, std::uint64_t sequence, MessageRef message,
                          MonoTime enqueued) {
  next_sequence_ = std::max({next_sequence_, sequence + 1, row + 1});
  const auto at =
      std::lower_bound(waiting_.begin(), waiting_.end(), sequence,
                       [](const Waiting& w, std::uint64_t number) { return w.sequence < number; });
  if (at != waiting_.end() && at->sequence == sequence) return;  // it came back once, and is in two rows
  waiting_bytes_ += message->size();
  waiting_.insert(
      at, {.sequence = sequence, .message = std::move(message), .enqueued = enqueued, .is_kept = true});
  ++worker.ledger().routed;
  ++worker.ledger().waiting;
}

void SharedGroup::note_assigned(WorkerState& worker, std::uint64_t sequence, bool is_given,
                                const CommitPoint& stored) {
  if (!is_given) {
    stored_->with_members.insert(sequence);
    return;
  }
  // The member keeps it in the commit that takes it from the group, and that is of this turn.
  worker.journal.turn();
  worker.journal.depend(stored);
  worker.journal.touch(*this);
}

void SharedGroup::note_gone(WorkerState& worker, std::uint64_t sequence) {
  if (!stored_) return;
  stored_->with_members.erase(sequence);
  worker.journal.touch(*this);
}

mqtt::ReasonCode SharedGroup::enqueue(WorkerState& worker, const MessageRef& message) {
  const QueueLimits& limits = worker.node.policy().shared_queue;
  if (is_full(limits, message->size())) dispatch(worker);  // what is too old makes room
  const auto drop_full = [&worker] {
    ++worker.ledger().dropped[static_cast<std::size_t>(DropReason::kQueueFull)];
  };
  // Of the policies that have no meaning for a group, kConflate is kDropOld and kDisconnect is kDropNew.
  const bool drops_old =
      limits.overflow == OverflowPolicy::kDropOld || limits.overflow == OverflowPolicy::kConflate;
  while (drops_old && !waiting_.empty() && is_full(limits, message->size())) {
    waiting_bytes_ -= waiting_.front().message->size();
    waiting_.pop_front();
    --worker.ledger().waiting;
    if (stored_) worker.journal.touch(*this);
    drop_full();
  }
  if (is_full(limits, message->size())) {
    drop_full();
    return limits.overflow == OverflowPolicy::kReject ? mqtt::ReasonCode::kQuotaExceeded
                                                      : mqtt::ReasonCode::kSuccess;
  }
  Waiting waiting{.sequence = next_sequence_++,
                  .message = message,
                  .enqueued = worker.now,
                  .is_kept = stored_ != nullptr};
  if (stored_)
    waiting.stored = worker.journal.add(*this, {waiting.sequence, waiting.sequence}, message, worker.now);
  waiting_.push_back(std::move(waiting));
  waiting_bytes_ += message->size();
  ++worker.ledger().waiting;
  dispatch(worker);
  return mqtt::ReasonCode::kSuccess;
}

// QoS 0 goes to a connected member whatever its window, or nowhere: no queue holds it.
void SharedGroup::assign_unacknowledged(WorkerState& worker, Publication& publication, bool is_last) {
  Member* member = choose(worker.node.policy().shared_strategy, {publication.origin(), publication.topic()});
  if (member == nullptr) {
    const auto at =
        std::find_if(members_.begin(), members_.end(), [](const Member& m) { return m.is_online; });
    if (at != members_.end()) member = &*at;
  }
  if (member == nullptr) {
    ++worker.ledger().dropped[static_cast<std::size_t>(DropReason::kNoMember)];
    return;
  }
  assign(worker, *member, publication, 0, is_last);
}

void SharedGroup::dispatch(WorkerState& worker) {
  while (!waiting_.empty()) {
    Waiting& first = waiting_.front();
    const Duration age_max = worker.node.policy().shared_queue.age_max;
    const bool is_expired =
        first.message->expires() <= worker.now || (age_max.ms > 0 && first.enqueued + age_max <= worker.now);
    const Source source{first.message->origin(), first.message->topic()};
    Member* member = is_expired ? nullptr : choose(worker.node.policy().shared_strategy, source);
    if (!is_expired && member == nullptr) return;
    Waiting taken = std::move(first);
    waiting_.pop_front();
    waiting_bytes_ -= taken.message->size();
    --worker.ledger().waiting;
    if (is_expired) {
      ++worker.ledger().dropped[static_cast<std::size_t>(DropReason::kExpired)];
      if (stored_) worker.journal.touch(*this);
    } else {
      ++member->assigned;
      Publication publication{std::move(taken.message)};
      const bool is_given = taken.is_kept && gives_away(*member, publication.qos());
      if (taken.is_kept) note_assigned(worker, taken.sequence, is_given, taken.stored);
      const Journal::OwnPart own(worker.journal);
      assign(worker, *member, publication, taken.sequence, true, is_given);
    }
  }
}

void SharedGroup::assign(WorkerState& worker, Member& member, Publication& publication,
                         std::uint64_t sequence, bool is_last, bool is_given) {
  if (worker.is_at_hand(member.shard)) {
    const Assignment assignment{key_,     member.client_id, member.shard, member.serial, member.membership,
                                sequence, is_given};
    return take_assigned(worker, assignment, publication, is_last);
  }
  ++worker.ledger().handed_over;
  const WorkerIndex to = worker.node.owner_of(member.shard);
  if (!is_given && publication.size() <= kSmallBytesMax) {
    return worker.mailer.assign_small(to,
                                      {.group = key_,
                                       .client_id = member.client_id,
                                       .member = member.serial,
                                       .shard = member.shard,
                                       .membership = member.membership},
                                      publication.parts(), sequence);
  }
  MemberMail mail{.kind = MemberMail::Kind::kAssigned,
                  .group = key_,
                  .client_id = member.client_id,
                  .member = member.serial,
                  .membership = member.membership,
                  .message = publication.message(),
                  .sequence = sequence,
                  .is_given = is_given};
  worker.mailer.post(to, AddressedMail{.shard = member.shard, .content = std::move(mail)},
                     is_given ? worker.journal.join(to) : nullptr);
}

void SharedGroup::take_back(WorkerState& worker, GroupMail mail) {
  ++worker.ledger().taken_over;
  if (mail.message->qos() == mqtt::Qos::kAtMostOnce) {
    Publication publication{std::move(mail.message)};
    assign_unacknowledged(worker, publication, true);
    return;
  }
  const auto at =
      std::lower_bound(waiting_.begin(), waiting_.end(), mail.sequence,
                       [](const Waiting& w, std::uint64_t sequence) { return w.sequence < sequence; });
  const bool is_new_to_store = stored_ && stored_->with_members.erase(mail.sequence) == 0;
  // In a row of its own: the one of its sequence may be there, with others in it.
  CommitPoint stored;
  if (is_new_to_store)
    stored = worker.journal.add(*this, {next_sequence_++, mail.sequence}, mail.message, worker.now);
  waiting_bytes_ += mail.message->size();
  waiting_.insert(at, {.sequence = mail.sequence,
                       .message = std::move(mail.message),
                       .enqueued = worker.now,
                       .is_kept = stored_ != nullptr,
                       .is_returned = is_new_to_store,
                       .stored = stored});
  if (is_new_to_store) worker.journal.touch(*this);
  ++worker.ledger().waiting;
}

void SharedGroup::answer(WorkerState& worker, const GroupMail& mail, MemberMail::Kind kind) {
  if (mail.operation == 0) return;
  MemberMail reply{.kind = kind,
                   .group = key_,
                   .client_id = mail.client_id,
                   .member = mail.member,
                   .operation = mail.operation};
  worker.mailer.post(worker.node.owner_of(mail.member_shard),
                     AddressedMail{.shard = mail.member_shard, .content = std::move(reply)});
}

void SharedGroup::on_mail(WorkerState& worker, GroupMail mail) {
  Member* member = find(*mail.client_id);
  // Mail of an older session of the same client id; its messages still count.
  const bool is_stale =
      member != nullptr && member->serial != mail.member && mail.kind != GroupMail::Kind::kJoin;
  if (is_stale) member = nullptr;
  switch (mail.kind) {
    case GroupMail::Kind::kJoin:
      if (member == nullptr) member = &add(mail.client_id);
      if (mail.is_stored) keep(worker);
      member->is_stored = mail.is_stored;
      member->serial = mail.member;
      member->membership = mail.membership;
      member->assigned = mail.unsettled;
      member->shard = mail.member_shard;
      member->is_online = mail.window != 0;
      member->window = mail.window;
      least_assigned_ = 0;
      answer(worker, mail, MemberMail::Kind::kJoined);
      break;
    case GroupMail::Kind::kLeave:
      if (member != nullptr) remove(*member);
      answer(worker, mail, MemberMail::Kind::kLeft);
      break;
    case GroupMail::Kind::kOnline:
      if (member == nullptr) break;
      if (mail.is_stored) keep(worker);
      member->is_stored = mail.is_stored;
      member->is_online = true;
      member->window = mail.window;
      least_assigned_ = 0;
      break;
    case GroupMail::Kind::kOffline:
      if (member != nullptr) member->is_online = false;
      break;
    case GroupMail::Kind::kSettled:
      if (member != nullptr) count_settled(*member);
      note_gone(worker, mail.sequence);
      break;
    case GroupMail::Kind::kReturned:
      if (member != nullptr && mail.sequence != 0) count_settled(*member);
      take_back(worker, std::move(mail));
      break;
  }
  dispatch(worker);
}

bool SharedGroup::settle(WorkerState& worker, const Settled& settled) {
  Member* member = find(settled.client_id);
  // Else it is of an older session of the same client id.
  if (member != nullptr && member->serial == settled.member) count_settled(*member);
  note_gone(worker, settled.sequence);
  return !waiting_.empty();
}

void SharedGroup::drop_all(WorkerState& worker) {
  worker.ledger().waiting -= static_cast<std::int64_t>(waiting_.size());
  worker.ledger().dropped[static_cast<std::size_t>(DropReason::kUnsubscribed)] += waiting_.size();
  waiting_.clear();
  waiting_bytes_ = 0;
}

SharedGroup* SharedGroups::find(const GroupKey& key) {
  if (const auto own = by_own_key_.find(&key); own != by_own_key_.end()) return own->second;
  const auto found = groups_.find(key.text);
  return found == groups_.end() ? nullptr : found->second.get();
}

void SharedGroups::settle(WorkerState& worker, const GroupKey& key, const SharedGroup::Settled& settled) {
  SharedGroup* group = find(key);
  if (group != nullptr && group->settle(worker, settled)) mark(*group);
}

SharedGroup& SharedGroups::make(WorkerState& worker, GroupKeyRef key) {
  auto made = std::make_unique<SharedGroup>(std::move(key));
  SharedGroup& group = *made;
  group.subscription().since = worker.subscribers.add(group.key().filter, group.subscription());
  put(std::move(made));
  return group;
}

void SharedGroups::mark(SharedGroup& group) {
  if (group.is_to_dispatch) return;
  group.is_to_dispatch = true;
  to_dispatch_.push_back(group.key_ref());
}

void SharedGroups::dispatch_marked(WorkerState& worker) {
  std::vector<GroupKeyRef> marked;
  marked.swap(to_dispatch_);
  for (const GroupKeyRef& key : marked) {
    const auto here = by_own_key_.find(key.get());
    if (here == by_own_key_.end()) continue;  // it ended, or went with its shard
    here->second->is_to_dispatch = false;
    here->second->dispatch(worker);
  }
}

void SharedGroups::on_mail(WorkerState& worker, GroupMail mail) {
  SharedGroup* group = find(*mail.group);
  if (group == nullptr) {
    if (mail.kind == GroupMail::Kind::kReturned) {
      // The last member is gone, and with it the group.
      ++worker.ledger().taken_over;
      ++worker.ledger().dropped[static_cast<std::size_t>(DropReason::kUnsubscribed)];
      return;
    }
    if (mail.kind != GroupMail::Kind::kJoin) {
      // An UNSUBSCRIBE still gets its answer.
      SharedGroup nobody{mail.group};
      if (mail.kind == GroupMail::Kind::kLeave) nobody.on_mail(worker, std::move(mail));
      return;
    }
    group = &make(worker, mail.group);
  }
  group->on_mail(worker, std::move(mail));
  if (!group->members().empty()) return;
  group->drop_all(worker);
  worker.journal.forget_group(*group);
  worker.subscribers.remove(group->key().filter, group->subscription());
  by_own_key_.erase(&group->key());
  groups_.erase(group->key().text);
}

std::vector<std::unique_ptr<SharedGroup>> SharedGroups::take(ShardId shard) {
  std::vector<std::unique_ptr<SharedGroup>> taken;
  for (auto at = groups_.begin(); at != groups_.end();) {
    if (at->second->key().shard == shard) {
      by_own_key_.erase(&at->second->key());
      taken.push_back(std::move(at->second));
      groups_.erase(at++);
    } else {
      ++at;
    }
  }
  return taken;
}

void SharedGroups::put(std::unique_ptr<SharedGroup> group) {
  by_own_key_.emplace(&group->key(), group.get());
  if (std::exchange(group->is_to_dispatch, false)) mark(*group);
  const std::string_view text = group->key().text;
  groups_.emplace(text, std::move(group));
}

}  // namespace nightjar::broker
