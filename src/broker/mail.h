// What workers tell each other. A batch is filled during a turn and handed over once at its end
// (Peers::post); batches between two workers arrive in order. A batch belongs to one worker at a time.
//
// Mail to a session or a shared group is addressed to its shard: a worker that no longer owns the shard sends
// it on, one that is about to own it holds it until the move is complete (shard_move.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "broker/durable/commit.h"
#include "broker/ids.h"
#include "broker/message.h"
#include "mqtt/reason_code.h"
#include "mqtt/types.h"

namespace nightjar::broker {

class Connection;
class Worker;
struct ShardState;

// "$share/NAME/FILTER", shared by everybody who refers to the group.
struct GroupKey {
  GroupKey(std::string_view name, std::string_view of, ShardId place)
      : share_name(name), filter(of), text("$share/" + share_name + "/" + filter), shard(place) {}

  const std::string share_name;
  const std::string filter;
  const std::string text;
  const ShardId shard;
};
using GroupKeyRef = std::shared_ptr<const GroupKey>;

// A client id may have 65 535 bytes and stand in any number of groups and letters: all share one copy.
using ClientIdRef = std::shared_ptr<const std::string>;

// Where a publisher's worker wants to hear what became of a message.
struct ReportTo {
  WorkerIndex worker;
  std::uint64_t connection = 0;  // Connection::serial; 0: no report wanted
  std::uint64_t ack = 0;         // place in that connection's AckQueue
};

// A message for the local subscribers of some filters.
struct DeliverMail {
  MessageRef message;
  RouteVersion version = 0;
  std::uint32_t first_filter = 0;  // in MailBatch::filters
  std::uint32_t filter_count = 0;
  enum class Scope : std::uint8_t {
    kAll,
    kForwarded,  // sent on by the old owner of `shard`, for its subscriptions only
    kHeld        // was held until `shard` was ready, for its subscriptions only
  };
  Scope scope = Scope::kAll;
  ShardId shard;
  ReportTo report;
};

// Messages that lie one behind the other in MailBatch::small.
struct SmallRun {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

// What is small is copied into the mail: a reference that two workers count costs more.
inline constexpr std::size_t kSmallBytesMax = 1024;

// A small message as bytes of the batch: it is allocated, if at all, by the worker that keeps and frees it.
struct SmallMessage {
  std::uint32_t bytes_at = 0;  // in MailBatch::bytes: topic, properties, payload
  std::uint32_t payload_bytes = 0;
  std::uint32_t properties_bytes = 0;
  std::uint16_t topic_bytes = 0;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool retain = false;
  MonoTime expires = kNever;
  std::uint64_t origin = 0;
};

// A small message for the local subscribers of some filters. Nobody waits for a report of it, and it was not
// stored as retained.
struct SmallDelivery {
  SmallMessage message;
  RouteVersion version = 0;
  std::uint32_t first_filter = 0;  // in MailBatch::filters
  std::uint32_t filter_count = 0;
};

// A member of a shared group, as a call names it: counts no reference.
struct MemberName {
  const GroupKeyRef& group;
  const ClientIdRef& client_id;
  SessionSerial member;
  ShardId shard;                 // of the client id
  std::uint32_t membership = 0;  // of what is assigned
};

// The same for all that a batch says about it.
struct GroupMember {
  GroupKeyRef group;
  ClientIdRef client_id;
  SessionSerial member;
  ShardId shard;
  std::uint32_t membership = 0;

  [[nodiscard]] bool is(const MemberName& name) const {
    return group == name.group && client_id == name.client_id && member == name.member &&
           shard == name.shard && membership == name.membership;
  }
};

// Small messages that groups assign to members, one behind the other in MailBatch::assigned.
struct AssignedRun {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

// As SmallDelivery; a message that the group keeps, if anybody does.
struct SmallAssignment {
  SmallMessage message;
  std::uint32_t member = 0;    // in MailBatch::members
  std::uint64_t sequence = 0;  // 0 at QoS 0
};

// Messages that members are done with, one behind the other in MailBatch::settled.
struct SettledRun {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

struct SettledMessage {
  std::uint32_t member = 0;  // in MailBatch::members
  std::uint64_t sequence = 0;
};

// A target settled a message whose publisher waits for it.
struct ReportMail {
  ReportTo to;
  mqtt::ReasonCode code = mqtt::ReasonCode::kSuccess;
};

// A connection whose CONNECT was accepted comes to its home.
struct ConnectionMail {
  std::unique_ptr<Connection> connection;
};

// From a member's worker to the owner of its group.
struct GroupMail {
  enum class Kind : std::uint8_t {
    kJoin,     // subscribed; answered with kJoined
    kLeave,    // unsubscribed or session ended; answered with kLeft
    kOnline,   // may be given messages, at most `window` unsettled ones
    kOffline,  // may not
    kSettled,  // one QoS 1 or 2 message is done with
    kReturned  // a message the member could not take or did not acknowledge
  };
  Kind kind = Kind::kJoin;
  GroupKeyRef group;
  ClientIdRef client_id;
  SessionSerial member;
  ShardId member_shard;
  std::uint32_t operation = 0;   // kJoin, kLeave: echoed in the answer
  std::uint32_t membership = 0;  // kJoin: which one of this session it is
  std::uint32_t window = 0;
  std::uint32_t unsettled = 0;  // kJoin: messages of an earlier membership that it still has in flight
  bool is_stored = false;       // kJoin, kOnline: the session is kept
  MessageRef message;           // kReturned
  std::uint64_t sequence = 0;   // kReturned, kSettled: its place in the group's order
  bool was_given = false;       // kReturned: the session kept it, and the group does not
};

// From the owner of a group to a member.
struct MemberMail {
  enum class Kind : std::uint8_t { kJoined, kLeft, kAssigned };
  Kind kind = Kind::kJoined;
  GroupKeyRef group;
  ClientIdRef client_id;
  SessionSerial member;
  std::uint32_t membership = 0;  // kAssigned: the one that the message was given to
  std::uint32_t operation = 0;
  MessageRef message;  // kAssigned
  std::uint64_t sequence = 0;
  bool is_given = false;  // kAssigned: the session keeps it from now on, not the group
};

// The steps of a shard move; see shard_move.h.
struct ShardMail {
  enum class Kind : std::uint8_t {
    kArrives,        // old owner to new owner: the whole state
    kMark,           // old owner to everybody: what I sent you before this is from before the move
    kMarkSeen,       // everybody to the new owner
    kFenceRequest,   // new owner to everybody: my subscriptions are in the tree
    kFence,          // everybody to the old owner: I send you nothing for the shard any more
    kFencesComplete  // old owner to new owner: all fences are in, what I forwarded lies before this
  };
  Kind kind = Kind::kArrives;
  ShardId shard;
  WorkerIndex old_owner;
  WorkerIndex new_owner;
  std::unique_ptr<ShardState> state;     // kArrives
  std::vector<CommitPoint> not_durable;  // kArrives: of the shard's changes
};

// Store::committed() has advanced for some origin: acknowledgements and messages may wait for it.
struct CommittedMail {};

// Any work for the worker's own thread: snapshots, control commands.
struct TaskMail {
  std::function<void(Worker&)> run;
};

// Mail addressed to a session or group, with its shard in front.
struct AddressedMail {
  ShardId shard;
  bool is_forwarded = false;
  std::variant<ConnectionMail, GroupMail, MemberMail> content;
};

using Mail = std::variant<SmallRun, DeliverMail, ReportMail, AddressedMail, AssignedRun, SettledRun,
                          ShardMail, CommittedMail, TaskMail>;

struct MailBatch {
  MailBatch();
  ~MailBatch();
  MailBatch(const MailBatch&) = delete;
  MailBatch& operator=(const MailBatch&) = delete;

  // Empties it for another use of its memory.
  void clear();
  // Copies what the parts show.
  SmallMessage add(const Message::Parts& parts);
  // Valid until the batch changes.
  [[nodiscard]] Message::Parts parts_of(const SmallMessage& message) const;
  // The place of a member, which is added if it was not among the last ones.
  std::uint32_t place_of(const MemberName& member);
  [[nodiscard]] std::size_t memory_bytes() const;

  WorkerIndex from;
  std::vector<FilterId> filters;
  std::vector<Mail> mail;  // in the order in which it was posted
  std::vector<SmallDelivery> small;
  std::vector<GroupMember> members;
  std::vector<SmallAssignment> assigned;
  std::vector<SettledMessage> settled;
  ByteBuffer bytes;
  // What messages in here cause to be stored becomes durable with what their worker stored in its turn, or
  // nullptr.
  std::shared_ptr<Commit> commit;
  MailBatch* next = nullptr;  // for the mailbox that carries it
};

// A batch of one CommittedMail, for a Store.
std::unique_ptr<MailBatch> committed_batch();
// A batch of one task, for threads that are no worker.
std::unique_ptr<MailBatch> task_batch(std::function<void(Worker&)> run);

}  // namespace nightjar::broker
