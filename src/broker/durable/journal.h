// What one worker makes durable. Within a turn it gathers changes; at the end of the turn they go to the
// store as one commit, together with what other workers change because of mail that the turn sent them. What
// waits for a commit (acknowledgements, QoS 2 messages) goes on when the store has it.
//
// A QoS 1 message that is in flight to a connected receiver waits a moment for its acknowledgement first:
// when that comes the message need not be written at all (rules: 2).
//
// Everything is a no-op while is_on() is false. Lives on one worker.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "broker/durable/commit.h"
#include "broker/durable/late_topics.h"
#include "broker/durable/records.h"
#include "broker/durable/stored_session.h"
#include "broker/ids.h"
#include "broker/session/outbox.h"

namespace nightjar::broker {

class Connection;
class Node;
class Session;
class SharedGroup;
struct Subscription;
struct WorkerState;

class Journal {
 public:
  Journal(Node& node, WorkerIndex self);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  [[nodiscard]] bool is_on() const { return is_on_; }

  // ---- changes ----

  // Grows with each change that somebody may wait for: an acknowledgement need not wait if it has not moved.
  [[nodiscard]] std::uint64_t count() const { return count_; }
  // The commit of the changes of this turn.
  CommitNumber turn();
  // Of all that was changed up to now; 0 if nothing ever was.
  [[nodiscard]] CommitNumber latest() const { return last_number_; }

  // The session is kept from now on. `will`: the one that is armed with CONNACK.
  void keep(Session& session, const Will* will);
  // What changed of an expiry, a connection, a will; nobody waits.
  void put_session(const Session& session);
  // The session ends, or becomes one that ends with its connection.
  void forget_session(Session& session);
  void put_subscription(const Session& session, const Subscription& subscription);
  void erase_subscription(const Session& session, std::string_view text);
  // The retained message of a topic is another one now. While the store takes nothing, one that nobody waits
  // for is written afterwards.
  void retained_changed(std::string_view topic, bool is_awaited);

  // A message waits for the session, or is in flight with packet id `id`.
  void add(Session& session, Delivery& delivery, mqtt::PacketId id);
  // It does not any more.
  void forget(Session& session, const Delivery& delivery) {
    if (delivery.sequence != 0) forget_kept(session, delivery);
  }
  // It goes elsewhere, in the commit of this turn.
  void give_away(Session& session, const Delivery& delivery);
  // Packet ids changed. Awaited: somebody waits for turn().
  void touch(Session& session, bool is_awaited);
  // The entry of a delivery that add() took, and the packet ids of this turn, are durable at these points.
  [[nodiscard]] CommitPoint point_of(const Delivery& delivery) const;

  // `row`: a sequence that no other row begins with.
  struct Place {
    std::uint64_t row;
    std::uint64_t sequence;
  };
  // Returns where it will be durable.
  CommitPoint add(SharedGroup& group, Place place, const MessageRef& message, MonoTime enqueued);
  // The commit of this turn holds what that one brought.
  void depend(const CommitPoint& earlier);
  // The commit of this turn and all later ones of this worker follow these. 0 if those are durable.
  CommitNumber follow(const std::vector<CommitPoint>& earlier);
  // What is waiting or with members has changed.
  void touch(SharedGroup& group);
  void forget_group(SharedGroup& group);

  // ---- mail ----

  // The commit to send along with mail whose messages may have to be stored by `to`; nullptr if nothing is
  // kept there.
  std::shared_ptr<Commit> join(WorkerIndex to);
  // What add() takes between the two belongs to another worker's commit.
  void begin_part(std::shared_ptr<Commit> commit);
  void end_part();
  // For mail that is sent on: what its messages belong to here, they belong to there.
  [[nodiscard]] std::shared_ptr<Commit> present_commit();
  // Keeps the present part open for work that is put off: begin_part() and end_part() surround it then.
  std::shared_ptr<Commit> keep_part_open();
  // Changes of the present part go to the commit of this turn in spite of it, while one of these lives.
  class OwnPart {
   public:
    explicit OwnPart(Journal& journal) : journal_(journal), outer_(std::exchange(journal.current_, 0)) {}
    ~OwnPart() { journal_.current_ = outer_; }
    OwnPart(const OwnPart&) = delete;
    OwnPart& operator=(const OwnPart&) = delete;

   private:
    Journal& journal_;
    std::uint32_t outer_;
  };

  // ---- waiting ----

  [[nodiscard]] bool is_durable(CommitPoint point) const;
  [[nodiscard]] bool is_durable(CommitNumber number) const { return is_durable(CommitPoint{self_, number}); }
  // The connection is looked at again (protocol::on_committed) when `number` is durable.
  void wait(Connection& connection, CommitNumber number);
  // The session is pumped again then.
  void wait(Session& session, CommitPoint point);
  void forget_waiting(Connection& connection);
  void forget_waiting(Session& session);
  // Store::committed() may have advanced.
  void look(WorkerState& worker);

  // What waits for a client that is away need not be held in memory once it is durable.
  void spill_later(Session& session);

  // ---- turns ----

  void begin_turn(MonoTime now) { now_ = now; }
  void finish_turn(WorkerState& worker);
  [[nodiscard]] MonoTime next_deadline() const;
  // Everything goes to the store now, nothing waits for receivers.
  void hand_in_all();
  // That and what was put off, for nothing comes afterwards.
  void end();
  // What was handed in and is not durable, one point for each origin: a shard leaves when these are.
  [[nodiscard]] std::vector<CommitPoint> not_durable() const;

 private:
  struct Pending {
    QueueName queue;
    QueueRows* rows = nullptr;  // of the queue; cancel_pending() before it goes
    std::uint64_t row = 0;
    std::uint32_t stint = 0;
    QueueEntry entry;  // without a message: it need not be written any more
    // By a member to its group. The number of its row says when, so it begins one.
    [[nodiscard]] bool is_returned() const { return row != entry.sequence; }
  };
  // What this worker adds to one commit.
  struct Part {
    std::shared_ptr<Commit> commit;
    std::vector<Pending> pending;
    std::size_t live = 0;     // pending with a message
    bool is_awaited = false;  // by somebody who does not wait for receivers
    bool is_open = true;      // more may come
    MonoTime sealed{};        // when it was closed
    MonoTime due = kNever;    // when it goes to the store at the latest
  };
  struct HandedIn {
    std::uint32_t part;
    CommitPoint point;
  };
  struct WaitingConnection {
    CommitNumber number;
    Connection* connection;
  };
  struct WaitingSession {
    CommitNumber number;
    Session* session;
  };

  Part& part(std::uint32_t number) { return parts_[number - first_part_]; }
  Part& add_part(std::shared_ptr<Commit> commit);
  Part& own_part();
  Part& present_part();
  Changes& own_changes(bool is_awaited);
  Changes& noted(Changes& changes);
  Pending& add_pending(std::uint32_t number, QueueName queue, QueueRows& rows);
  // Erases rows of which nothing counts any more: `oldest` is the least sequence that does.
  void reclaim(const QueueName& queue, QueueRows& rows, std::uint64_t oldest);
  // Of sorted_, which are of one part, from `first` on; returns the first that is not in the row.
  std::size_t write_row(std::size_t first, Commit& commit, Changes& changes);
  void forget_kept(Session& session, const Delivery& delivery);
  void note_gone(Session& session, const Delivery& delivery);
  Pending* pending_of(std::uint32_t part, std::uint32_t slot, std::uint64_t sequence);
  [[nodiscard]] std::uint32_t present_number();
  void cancel_pending(const QueueName& queue);
  void spill();
  void write_touched();
  void write_late_topics();
  void write_packet_ids_of(Session& session);
  void write_group_of(SharedGroup& group, Changes& changes);
  void seal(Part& part, MonoTime now);
  void hand_in_due();
  void hand_in_first();
  void write_pending(Part& part);
  void keep_for_later(std::vector<Pending>&& pending);

  Node& node_;
  const WorkerIndex self_;
  const bool is_on_;
  std::uint64_t count_ = 0;
  CommitNumber last_number_ = 0;
  std::deque<Part> parts_;
  std::uint32_t first_part_ = 1;  // the number of parts_.front()
  std::uint32_t own_ = 0;         // of this turn; 0: none yet
  std::uint32_t current_ = 0;     // where add() puts; 0: the own one
  std::deque<HandedIn> handed_in_;
  std::vector<Session*> touched_;
  std::vector<Session*> to_spill_;
  std::vector<SharedGroup*> touched_groups_;
  LateTopics late_topics_;
  bool is_touch_awaited_ = false;
  MonoTime touches_due_ = kNever;
  bool is_to_look_ = false;
  std::deque<WaitingConnection> waiting_connections_;
  std::vector<std::deque<WaitingSession>> waiting_sessions_;  // by origin
  // Scratch space, kept for its capacity: parts come and go many times a second.
  std::vector<std::vector<Pending>> spare_pending_;
  std::string value_;
  std::vector<const Pending*> sorted_;
  MonoTime now_{};
  MonoTime time_due_{};
  MonoTime last_elided_{};
};

}  // namespace nightjar::broker
