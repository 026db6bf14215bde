// Messages waiting for one client, and those sent and not yet acknowledged. Lives on the client's home
// worker. Order of delivery equals order of push. Pure data: it decides nothing about limits of the
// connection.
#pragma once

#include <boost/container/deque.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "broker/mail.h"
#include "broker/message.h"
#include "broker/policy.h"
#include "broker/session/subscription_ids.h"
#include "mqtt/types.h"

namespace nightjar::broker {

// One message on its way to one client.
struct Delivery {
  MessageRef message;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool retain = false;  // the RETAIN flag as this client gets it
  // It is the store's as well: for a session that is kept, and not one that the group keeps.
  bool is_kept = false;
  std::uint32_t part = 0;  // of Journal, where it was added
  MonoTime enqueued{};
  std::uint64_t place = 0;  // in the outbox: counts pushes
  SubscriptionIds subscription_ids;
  GroupKeyRef group;  // assigned by a shared group, which waits to hear of it
  std::uint64_t group_sequence = 0;
  std::uint64_t sequence = 0;  // in the session's stored queue; 0 until it was added
  std::uint32_t slot = 0;      // in that part of Journal

  // As it was made, with less work than an assignment: most of it mostly is.
  void clear() {
    message = {};
    if (!subscription_ids.empty()) subscription_ids = {};
    if (group) group.reset();
    qos = mqtt::Qos::kAtMostOnce;
    retain = false;
    enqueued = {};
    place = group_sequence = 0;
    slot = 0;
    forget_stored();
  }
  void forget_stored() {
    is_kept = false;
    part = 0;
    sequence = 0;
  }
};

using DeliveryQueue = boost::container::deque<Delivery>;

// QoS 1 and 2 messages sent and not finished, in order of first sending.
class InFlight {
 public:
  enum class State : std::uint8_t {
    kFree,
    kPublished,  // PUBLISH sent, waits for PUBACK or PUBREC
    kReleased    // PUBREL sent, waits for PUBCOMP
  };
  struct Entry {
    std::uint64_t sequence = 0;
    std::uint32_t counted_bytes = 0;  // in Connection::sent_unacknowledged_bytes
    mqtt::PacketId packet_id{};
    State state = State::kFree;
    bool is_counted : 1 = false;  // in Connection::sent_unacknowledged of the present connection
    bool was_sent : 1 = false;    // or may have been: it is sent again with DUP [MQTT-3.3.1-1]
    Delivery delivery;            // message is empty once the client has it (PUBREC)
  };

  // Takes the next free packet id; the delivery is a new one. The number of entries is at most 65 535.
  Entry& add();
  // Puts one back that had this packet id, in the order of the calls. The id is free.
  Entry& restore(mqtt::PacketId id, State state, Delivery delivery);
  // The id given last: the next one follows it.
  [[nodiscard]] mqtt::PacketId last_id() const { return {last_id_}; }
  void set_last_id(mqtt::PacketId id) { last_id_ = id.value; }
  [[nodiscard]] Entry* find(mqtt::PacketId id);
  void erase(Entry& entry);

  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  // All entries in order of first sending.
  [[nodiscard]] std::vector<Entry*> in_order();
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Entry& entry : slots_) {
      if (entry.state != State::kFree) visit(entry);
    }
  }
  void forget_parts() {
    for (Entry& entry : slots_) entry.delivery.part = 0;
  }
  // Of a session that is not kept any more.
  void forget_stored() {
    for (Entry& entry : slots_) entry.delivery.forget_stored();
  }

 private:
  void grow();

  std::vector<Entry> slots_;  // a power of two; the slot of an id is id modulo size
  std::uint32_t count_ = 0;
  std::uint16_t last_id_ = 0;
  std::uint64_t next_sequence_ = 1;
};

class Outbox {
 public:
  // What push did.
  enum class Push : std::uint8_t { kQueued, kFull };
  // Of a client that is away, what the store has need not be held here too. It lies behind what was loaded
  // again and in front of what was pushed since.
  struct Spilled {
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
    std::uint64_t first_sequence = 0;  // none of them is below
    DeliveryQueue behind;
  };

  [[nodiscard]] bool empty() const { return !waiting_; }
  [[nodiscard]] std::size_t size() const {
    return waiting_ ? waiting_->deliveries.size() + spilled_count() + behind_count() : 0;
  }
  // The first one is here.
  [[nodiscard]] bool has_front() const { return waiting_ && !waiting_->deliveries.empty(); }
  // Those that are here in front of the spilled ones.
  [[nodiscard]] std::size_t loaded() const { return waiting_ ? waiting_->deliveries.size() : 0; }
  [[nodiscard]] const Spilled* spilled() const { return waiting_ ? waiting_->spilled.get() : nullptr; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // Delivery::place of the message pushed last; 0 before the first.
  [[nodiscard]] std::uint64_t last_place() const { return last_place_; }
  // True if one more message of `size` bytes would exceed the limits.
  [[nodiscard]] bool is_full(const QueueLimits& limits, std::size_t size) const;

  void push(Delivery delivery);
  // Lets go of what is kept and durable, as far as it stands in a row from the front. True if something that
  // is kept is left. Not together with conflate().
  template <typename IsDurable>
  bool spill(IsDurable is_durable);
  // So many messages from `first_sequence` on are with the store only.
  void set_spilled(std::uint64_t count, std::uint64_t bytes, std::uint64_t first_sequence);
  // The next of the spilled ones is here again.
  void load(Delivery delivery);
  // There are no more, whatever was counted; returns how many were missing.
  std::uint64_t end_spilled();
  [[nodiscard]] Delivery& front() { return waiting_->deliveries.front(); }
  Delivery pop();
  // Replaces the newest waiting message of the same topic; gives the old one back, or an empty delivery if
  // there is none. The first call indexes the queue by topic; the index lives until the queue is empty.
  Delivery conflate(const Delivery& newer);
  // Whether conflate() would find one.
  [[nodiscard]] bool holds_topic(std::string_view topic);
  // Takes out everything that `group` assigned and was not sent.
  std::vector<Delivery> take_group(const GroupKey& group);
  template <typename Visit>
  void for_each(Visit visit) const {
    if (!waiting_) return;
    for (const Delivery& waiting : waiting_->deliveries) visit(waiting);
    if (!waiting_->spilled) return;
    for (const Delivery& waiting : waiting_->spilled->behind) visit(waiting);
  }
  // Until `visit` answers false.
  template <typename Visit>
  void for_each_while(Visit visit) const {
    if (!waiting_) return;
    for (const Delivery& waiting : waiting_->deliveries) {
      if (!visit(waiting)) return;
    }
  }
  // Of a session that moves to another worker, whose parts are others.
  void forget_parts() {
    if (!waiting_) return;
    for (Delivery& waiting : waiting_->deliveries) waiting.part = 0;
    if (!waiting_->spilled) return;
    for (Delivery& waiting : waiting_->spilled->behind) waiting.part = 0;
  }
  void forget_stored() {
    if (!waiting_) return;
    for (Delivery& waiting : waiting_->deliveries) waiting.forget_stored();
  }

 private:
  // Topic to place of its newest waiting message, which holds the text of the key.
  using TopicIndex = boost::unordered_flat_map<std::string_view, std::uint64_t>;

  void index_topics();
  static void enter(TopicIndex& index, const Delivery& waiting);
  void leave(const Delivery& gone);
  [[nodiscard]] Delivery& at_place(std::uint64_t place);

  [[nodiscard]] std::size_t spilled_count() const { return waiting_->spilled ? waiting_->spilled->count : 0; }
  [[nodiscard]] std::size_t behind_count() const {
    return waiting_->spilled ? waiting_->spilled->behind.size() : 0;
  }
  void close_gap();
  static std::size_t overhead_of(const Delivery& delivery) {
    return delivery.message->size() - delivery.message->payload_size();
  }

  struct Queue {
    DeliveryQueue deliveries;
    std::unique_ptr<Spilled> spilled;
    std::unique_ptr<TopicIndex> by_topic;  // from the first conflate() on
  };
  std::unique_ptr<Queue> waiting_;  // none while empty
  std::size_t bytes_ = 0;
  std::size_t overhead_ = 0;  // of these, topics and properties, as far as the messages are here
  std::uint64_t last_place_ = 0;
};

template <typename IsDurable>
bool Outbox::spill(IsDurable is_durable) {
  if (!waiting_) return false;
  if (!waiting_->spilled) {
    waiting_->spilled = std::make_unique<Spilled>();
    waiting_->spilled->behind.swap(waiting_->deliveries);
  }
  Spilled& spilled = *waiting_->spilled;
  const auto take = [this, &spilled](const Delivery& gone) {
    overhead_ -= overhead_of(gone);
    ++spilled.count;
    spilled.bytes += gone.message->size();
  };
  // What was loaded is where it was.
  if (!waiting_->deliveries.empty()) spilled.first_sequence = waiting_->deliveries.front().sequence;
  for (const Delivery& loaded : waiting_->deliveries) take(loaded);
  waiting_->deliveries.clear();
  while (!spilled.behind.empty() && spilled.behind.front().is_kept && is_durable(spilled.behind.front())) {
    if (spilled.count == 0) spilled.first_sequence = spilled.behind.front().sequence;
    take(spilled.behind.front());
    spilled.behind.pop_front();
  }
  waiting_->by_topic.reset();
  const bool is_something_left = !spilled.behind.empty() && spilled.behind.front().is_kept;
  close_gap();
  return is_something_left;
}

}  // namespace nightjar::broker
