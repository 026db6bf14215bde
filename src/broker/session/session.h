// The state of one client id: subscriptions, messages waiting and in flight, incoming QoS 2 ids, the will
// (section 4.1). Lives on the home worker of its client id and survives connections as long as its expiry
// allows. Data with few rules of its own: delivery.h sends from it, lifecycle.h opens and ends it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/compact_text.h"
#include "base/timer_wheel.h"
#include "broker/counters.h"
#include "broker/durable/stored_session.h"
#include "broker/ids.h"
#include "broker/policy.h"
#include "broker/retained/retained_messages.h"
#include "broker/session/outbox.h"
#include "broker/session/packet_id_set.h"
#include "broker/session/subscription_set.h"
#include "broker/session/will.h"
#include "mqtt/types.h"

namespace nightjar::broker {

class Connection;
struct WorkerState;

// Session Expiry Interval that never ends a session [section 3.1.2.11.2].
inline constexpr std::uint32_t kExpiryNever = 0xFFFF'FFFF;

// The retained messages that a new subscription still has to get, read piece by piece.
struct RetainedReplay {
  std::string subscription;  // its text
  RouteVersion since = 0;    // and when it was made: one made later has replays of its own
  std::uint64_t version = 0;
  // What waited in the outbox before goes out first, or an old value would follow a newer retained one.
  std::uint64_t behind_place = 0;
  RetainedCursor cursor;
  std::vector<MessageRef> ready;  // read but not sent, from `next_ready` on
  std::size_t next_ready = 0;
  bool is_read = false;  // the store has no more
};

// First in, first out; holds no memory while empty.
class ReplayQueue {
 public:
  [[nodiscard]] bool empty() const { return !waiting_; }
  [[nodiscard]] std::size_t size() const { return waiting_ ? waiting_->size() : 0; }
  [[nodiscard]] RetainedReplay& front() { return waiting_->front(); }
  void push_back(RetainedReplay replay) {
    if (!waiting_) waiting_ = std::make_unique<boost::container::deque<RetainedReplay>>();
    waiting_->push_back(std::move(replay));
  }
  void pop_front() {
    waiting_->pop_front();
    if (waiting_->empty()) waiting_.reset();
  }

 private:
  std::unique_ptr<boost::container::deque<RetainedReplay>> waiting_;
};

class Session {
 public:
  Session(WorkerState& worker, std::string client_id, ShardId shard, SessionSerial serial,
          const ListenerPolicy& policy);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The client id to share with groups and their mail.
  const ClientIdRef& client_id_ref() {
    if (!client_id_ref_) client_id_ref_ = std::make_shared<const std::string>(client_id);
    return client_id_ref_;
  }
  // Ends when the connection ends, and with it everything below.
  [[nodiscard]] bool is_clean() const { return expiry_s == 0; }
  // Nothing that must leave before a new message waits.
  [[nodiscard]] bool is_caught_up() const { return !has_unsent() && has_sent_all_else(); }
  // Messages wait for the store before they are sent.
  [[nodiscard]] bool has_unsent() const { return stored && stored->unsent != nullptr; }
  [[nodiscard]] bool has_sent_all_else() const { return outbox.empty() && replays.empty() && !resend; }
  // Counts a drop for this client and says so in the log, at most once a minute.
  void count_drop(DropReason reason);

  WorkerState* worker;  // changes with a shard move
  const std::string client_id;
  const std::uint64_t client_id_hash;
  const SessionSerial serial;
  // The listener of the present connection.
  void use(const ListenerPolicy& listener) {
    policy = &listener;
    upgrades_qos = listener.upgrades_qos;
  }
  // What a message arrives with through a subscription: the lower of the two [MQTT-3.8.4-8].
  [[nodiscard]] mqtt::Qos qos_of(mqtt::Qos message, mqtt::Qos subscription) const {
    return upgrades_qos ? subscription : std::min(message, subscription);
  }

  const ListenerPolicy* policy;  // of the listener that the last connection used
  CompactText user_name;

  Connection* connection = nullptr;
  std::uint64_t ordinal = 0;  // of the connection that owns it; an older CONNECT never evicts it

  SubscriptionSet subscriptions;
  Outbox outbox;
  InFlight in_flight;
  // What the present connection has to get again before anything else, in order [MQTT-4.4.0-1]. None when
  // there is nothing left of it.
  std::unique_ptr<boost::container::deque<Unsent>> resend;
  ReplayQueue replays;
  // Packet ids of QoS 2 PUBLISH packets received and not yet released [MQTT-4.3.3-10].
  PacketIdSet incoming_ids;
  std::unique_ptr<Will> will;

  const ShardId shard;
  bool is_to_pump = false;         // in WorkerState::to_pump or to_replay
  bool is_ended = false;           // in WorkerState::ended_sessions: receives nothing any more
  bool upgrades_qos = false;       // of the policy, where deliveries look anyway
  bool warned_queue_high = false;  // until the queue is empty again
  std::uint32_t expiry_s = 0;
  std::uint32_t shared_count = 0;     // "$share" subscriptions among `subscriptions`
  std::uint32_t last_membership = 0;  // Subscription::membership
  std::uint32_t gathered = 0;         // place among the receivers of the message of `route_mark`
  std::uint64_t route_mark = 0;       // last message whose matches were gathered for it
  MonoTime drops_logged{INT64_MIN};   // at most one line a minute
  std::unique_ptr<std::array<std::uint32_t, kDropReasons>> drops;
  std::unique_ptr<StoredSession> stored;  // none: a restart forgets it

  // While there is no connection: when the will is published, and when the session ends.
  MonoTime will_due = kNever;
  MonoTime ends_at = kNever;
  Timer timer;  // at the earlier of the two

 private:
  static void on_timer(void* session);

  ClientIdRef client_id_ref_;  // once it was asked for
};

}  // namespace nightjar::broker
