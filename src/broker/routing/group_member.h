// The member's side of a shared subscription: what a session tells the owner of its group, and what it hears.
// Functions of the session's home worker; the owner's side is shared_group.h.
#pragma once

#include "broker/mail.h"
#include "broker/publication.h"
#include "broker/session/outbox.h"

namespace nightjar::broker {

class Session;
struct Subscription;
struct WorkerState;

// kJoin and kLeave carry an operation (not 0) when a SUBACK or UNSUBACK waits for the answer.
void join_group(WorkerState& worker, Session& session, const Subscription& subscription,
                std::uint32_t operation);
// Also gives back what the group assigned and was not sent. What was sent is completed with this client
// [MQTT-3.10.4-3], or goes back at QoS 1 when its connection ends first.
void leave_group(WorkerState& worker, Session& session, const Subscription& subscription,
                 std::uint32_t operation);
// All groups of the session: a connection came, or went.
void groups_online(WorkerState& worker, Session& session);
void groups_offline(WorkerState& worker, Session& session);
// A QoS 1 or 2 message of a group is done with, delivered or dropped.
void settle_with_group(WorkerState& worker, Session& session, const Delivery& delivery);

// A message that a group gives to a member.
struct Assignment {
  const GroupKeyRef& group;
  const ClientIdRef& client_id;
  ShardId shard;  // of the client id
  SessionSerial member;
  std::uint32_t membership;
  std::uint64_t sequence;  // 0 at QoS 0: the group waits for nothing
  // The session keeps it, not the group: a QoS 2 message, which stays with its member (rules: 14).
  bool is_given = false;
};
// The member has its home here. Takes the message, or sends it back when the membership has ended since.
// `is_last`: nobody needs the publication afterwards.
void take_assigned(WorkerState& worker, const Assignment& assignment, Publication& publication, bool is_last);

void on_member_mail(WorkerState& worker, MemberMail mail);

}  // namespace nightjar::broker
