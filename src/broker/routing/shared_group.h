// Shared subscriptions (section 4.8.2): the group owns its queue, members own only what they have in flight.
// A group lives on the owner of hash(share name, filter); its members may live on any worker, and the two
// talk by mail (GroupMail, MemberMail) even when they are on the same one.
#pragma once

#include <boost/container/deque.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "broker/ids.h"
#include "broker/mail.h"
#include "broker/message.h"
#include "broker/policy.h"
#include "broker/session/subscription.h"

namespace nightjar::broker {

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
  };

  explicit SharedGroup(GroupKeyRef key);

  [[nodiscard]] const GroupKey& key() const { return *key_; }
  [[nodiscard]] const GroupKeyRef& key_ref() const { return key_; }
  Subscription& subscription() { return subscription_; }
  [[nodiscard]] const std::vector<Member>& members() const { return members_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

  // A message that matched the group's filter. Answers kQuotaExceeded if the queue is full and its policy is
  // to refuse the publisher.
  mqtt::ReasonCode push(WorkerState& worker, const MessageRef& message);
  void on_mail(WorkerState& worker, GroupMail mail);
  // Drops what waits; the group is about to go.
  void drop_all(WorkerState& worker);

 private:
  struct Waiting {
    std::uint64_t sequence;
    MessageRef message;
    MonoTime enqueued;
  };

  Member* find(const ClientIdRef& client_id);
  // The member for `message`, or nullptr if it has to wait.
  Member* choose(SharedStrategy strategy, const Message& message);
  Member* choose_least_in_flight();
  Member* choose_round_robin();
  Member* choose_sticky();
  Member* choose_by_hash(std::size_t hash);
  void dispatch(WorkerState& worker);
  void assign(WorkerState& worker, Member& member, MessageRef message, std::uint64_t sequence);
  void take_back(WorkerState& worker, GroupMail mail);
  void assign_unacknowledged(WorkerState& worker, const MessageRef& message);
  [[nodiscard]] bool is_full(const QueueLimits& limits, std::size_t size) const;
  void answer(WorkerState& worker, const GroupMail& mail, MemberMail::Kind kind);

  GroupKeyRef key_;
  Subscription subscription_;
  std::vector<Member> members_;
  boost::container::deque<Waiting> waiting_;  // by sequence
  std::size_t waiting_bytes_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::size_t last_chosen_ = 0;  // round robin
  ClientIdRef sticky_;
};

// The groups that one worker owns.
class SharedGroups {
 public:
  [[nodiscard]] SharedGroup* find(const GroupKey& key);
  void on_mail(WorkerState& worker, GroupMail mail);
  // For shard moves: takes out, puts in.
  std::vector<std::unique_ptr<SharedGroup>> take(ShardId shard);
  void put(std::unique_ptr<SharedGroup> group);

 private:
  boost::unordered_flat_map<std::string, std::unique_ptr<SharedGroup>> groups_;  // by GroupKey::text()
};

}  // namespace nightjar::broker
