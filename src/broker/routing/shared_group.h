// Shared subscriptions (section 4.8.2): the group owns its queue, members own only what they have in flight.
// A group lives on the owner of hash(share name, filter); its members may live on any worker, and the two
// talk by mail (GroupMail, MemberMail). On the same worker, messages and their settlement go directly while
// no mail is under way that they could overtake.
#pragma once

#include <boost/container/deque.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/keyed_hash.h"
#include "broker/durable/queue_rows.h"
#include "broker/durable/records.h"
#include "broker/ids.h"
#include "broker/mail.h"
#include "broker/message.h"
#include "broker/policy.h"
#include "broker/publication.h"
#include "broker/session/subscription.h"

namespace nightjar::broker {

class Journal;
struct WorkerState;

class SharedGroup {
 public:
  struct Member {
    ClientIdRef client_id;
    SessionSerial serial;
    ShardId shard;
    std::uint32_t membership = 0;  // of the session: it may have left and joined again
    bool is_online = false;
    std::uint32_t window = 0;    // most QoS 1 and 2 messages it may have unsettled
    std::uint32_t assigned = 0;  // QoS 1 and 2 messages it has not settled
    bool is_stored = false;      // its session is kept
  };
  // What the store knows of a group with a member that is kept.
  struct Stored {
    QueueName queue;
    QueueRows rows;
    CommitPoint named;                     // where the store learned the queue's name
    std::set<std::uint64_t> with_members;  // given out, not settled, and still the group's
    std::uint64_t version = 0;             // of the record written last
    bool is_touched = false;               // its record is to be written
  };
  // A message that a member is done with.
  struct Settled {
    std::string_view client_id;
    SessionSerial member;
    std::uint64_t sequence;
  };

  explicit SharedGroup(GroupKeyRef key);

  [[nodiscard]] const GroupKey& key() const { return *key_; }
  [[nodiscard]] const GroupKeyRef& key_ref() const { return key_; }
  Subscription& subscription() { return subscription_; }
  [[nodiscard]] const std::vector<Member>& members() const { return members_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

  // A message that matched the group's filter. Answers kQuotaExceeded if the queue is full and its policy is
  // to refuse the publisher. `is_last`: nobody needs the publication afterwards.
  mqtt::ReasonCode push(WorkerState& worker, Publication& publication, bool is_last);
  void on_mail(WorkerState& worker, GroupMail mail);
  // A member of this worker is done with a QoS 1 or 2 message. True if another one now has to be assigned.
  bool settle(WorkerState& worker, const Settled& settled);
  // nullptr if nothing of it is kept.
  [[nodiscard]] Stored* stored() { return stored_.get(); }
  // What the store is to know now.
  [[nodiscard]] GroupRecord next_record(Journal& journal);
  // Of a group that was kept: its queue, before members join; then its messages, in order.
  void restore(QueueName queue, const GroupRecord& record);
  void restore(WorkerState& worker, std::uint64_t row, std::uint64_t sequence, MessageRef message,
               MonoTime enqueued);
  // Assigns what waits, as far as the windows of the members go.
  void dispatch(WorkerState& worker);
  bool is_to_dispatch = false;  // in SharedGroups::to_dispatch_
  // Drops what waits; the group is about to go.
  void drop_all(WorkerState& worker);

 private:
  struct Waiting {
    std::uint64_t sequence;
    MessageRef message;
    MonoTime enqueued;
    bool is_kept = false;      // it is the store's as well,
    bool is_returned = false;  // in a row of its own, as a member had it in between,
    CommitPoint stored{};      // from here on
  };

  // Who gets a message may depend on whence it came.
  struct Source {
    std::uint64_t origin;
    std::string_view topic;
  };

  Member* find(std::string_view client_id);
  Member& add(const ClientIdRef& client_id);
  void remove(Member& member);
  void count_settled(Member& member);
  // The member for a message, or nullptr if it has to wait.
  Member* choose(SharedStrategy strategy, const Source& source);
  Member* choose_least_in_flight();
  Member* choose_round_robin();
  Member* choose_sticky();
  Member* choose_by_hash(std::size_t hash);
  mqtt::ReasonCode enqueue(WorkerState& worker, const MessageRef& message);
  void keep(WorkerState& worker);
  // A message of the group's queue is with a member, or gone.
  void note_assigned(WorkerState& worker, std::uint64_t sequence, bool is_given, const CommitPoint& stored);
  void note_gone(WorkerState& worker, std::uint64_t sequence);
  [[nodiscard]] bool gives_away(const Member& member, mqtt::Qos qos) const {
    return stored_ && member.is_stored && qos == mqtt::Qos::kExactlyOnce;
  }
  void assign(WorkerState& worker, Member& member, Publication& publication, std::uint64_t sequence,
              bool is_last, bool is_given = false);
  void take_back(WorkerState& worker, GroupMail mail);
  void assign_unacknowledged(WorkerState& worker, Publication& publication, bool is_last);
  [[nodiscard]] bool is_full(const QueueLimits& limits, std::size_t size) const;
  void answer(WorkerState& worker, const GroupMail& mail, MemberMail::Kind kind);

  GroupKeyRef key_;
  Subscription subscription_;
  std::vector<Member> members_;
  boost::unordered_flat_map<std::string_view, std::size_t, KeyedHash> places_{
      0, KeyedHash{reinterpret_cast<std::uintptr_t>(this)}};  // of the members, by client id
  boost::container::deque<Waiting> waiting_;                  // by sequence
  std::unique_ptr<Stored> stored_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::size_t last_chosen_ = 0;       // round robin
  std::uint32_t least_assigned_ = 0;  // no member that may be given more has less than this
  ClientIdRef sticky_;
};

// The groups that one worker owns.
class SharedGroups {
 public:
  [[nodiscard]] SharedGroup* find(const GroupKey& key);
  void on_mail(WorkerState& worker, GroupMail mail);
  // What a member of this worker is done with, without mail. The group's next assignments come at the end of
  // the turn.
  void settle(WorkerState& worker, const GroupKey& key, const SharedGroup::Settled& settled);
  // A group of this worker that is not here yet, without members.
  SharedGroup& make(WorkerState& worker, GroupKeyRef key);
  [[nodiscard]] bool has_to_dispatch() const { return !to_dispatch_.empty(); }
  void dispatch_marked(WorkerState& worker);
  // For shard moves: takes out, puts in.
  std::vector<std::unique_ptr<SharedGroup>> take(ShardId shard);
  void put(std::unique_ptr<SharedGroup> group);

 private:
  void mark(SharedGroup& group);

  boost::unordered_flat_map<std::string_view, std::unique_ptr<SharedGroup>> groups_;  // by GroupKey::text
  // The same by the address of the group's own key, which messages that it assigned refer to.
  boost::unordered_flat_map<const GroupKey*, SharedGroup*> by_own_key_;
  std::vector<GroupKeyRef> to_dispatch_;  // keys of groups here, or that were here
};

}  // namespace nightjar::broker
