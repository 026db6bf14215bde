#include "broker/routing/group_member.h"

#include <algorithm>

#include "broker/protocol/subscribe.h"
#include "broker/session/delivery.h"
#include "broker/worker_state.h"

namespace nightjar::broker {
namespace {

std::uint32_t window_of(const Session& session) {
  if (session.connection == nullptr) return 0;
  return std::min(session.connection->receive_maximum, session.policy->inflight_max);
}

GroupMail mail_from(Session& session, GroupMail::Kind kind, GroupKeyRef group) {
  return {.kind = kind,
          .group = std::move(group),
          .client_id = session.client_id_ref(),
          .member = session.serial,
          .member_shard = session.shard};
}

void post(WorkerState& worker, GroupMail mail, std::shared_ptr<Commit> commit = nullptr) {
  const ShardId shard = mail.group->shard;
  const WorkerIndex owner = worker.node.owner_of(shard);
  if (mail.was_given && !commit) commit = worker.journal.join(owner);
  worker.mailer.post(owner, AddressedMail{.shard = shard, .content = std::move(mail)}, commit);
}

void give_back(WorkerState& worker, Session& session, Delivery delivery) {
  ++worker.ledger().handed_over;
  GroupMail mail = mail_from(session, GroupMail::Kind::kReturned, delivery.group);
  mail.was_given = delivery.is_kept;
  if (delivery.is_kept) {
    // The group takes it back in the same commit.
    worker.journal.give_away(session, delivery);
  }
  mail.message = std::move(delivery.message);
  mail.sequence = delivery.group_sequence;
  post(worker, std::move(mail));
}

// Unacknowledged QoS 1 messages of all groups, also of those that the client has left since, when there is no
// connection any more that could acknowledge them. A QoS 2 message in delivery stays [MQTT-4.8.2-4].
void give_back_unacknowledged(WorkerState& worker, Session& session) {
  if (session.in_flight.empty()) return;
  for (InFlight::Entry* entry : session.in_flight.in_order()) {
    if (!entry->delivery.group || entry->delivery.qos != mqtt::Qos::kAtLeastOnce) continue;
    --worker.ledger().in_flight;
    give_back(worker, session, entry->delivery);
    session.in_flight.erase(*entry);
  }
}

void give_back_unsent(WorkerState& worker, Session& session, const GroupKey& group) {
  for (Delivery& waiting : session.outbox.take_group(group)) {
    --worker.ledger().waiting;
    give_back(worker, session, std::move(waiting));
  }
}

// What the session has of a group in flight, from before it left and joined again. The rest it gave back.
std::uint32_t unsettled_of(const Session& session, const GroupKey& group) {
  std::uint32_t count = 0;
  session.in_flight.for_each([&](const InFlight::Entry& entry) {
    const GroupKeyRef& of = entry.delivery.group;
    if (entry.state == InFlight::State::kPublished && of && of->share_name == group.share_name &&
        of->filter == group.filter) {
      ++count;
    }
  });
  return count;
}

void send_back(WorkerState& worker, const Assignment& assignment, MessageRef message, bool is_counted) {
  ++worker.ledger().handed_over;
  // In the commit that took it from the group, the group gets it back.
  const auto commit = assignment.is_given ? worker.journal.present_commit() : nullptr;
  post(worker,
       {.kind = GroupMail::Kind::kReturned,
        .group = assignment.group,
        .client_id = assignment.client_id,
        .member = is_counted ? assignment.member : SessionSerial{},
        .message = std::move(message),
        .sequence = assignment.sequence,
        .was_given = assignment.is_given},
       commit);
}

void settle(WorkerState& worker, Session& session, const GroupKeyRef& group, std::uint64_t sequence) {
  if (worker.is_at_hand(group->shard)) {
    worker.groups.settle(worker, *group, {session.client_id, session.serial, sequence});
  } else {
    worker.mailer.settle(worker.node.owner_of(group->shard),
                         {.group = group,
                          .client_id = session.client_id_ref(),
                          .member = session.serial,
                          .shard = session.shard},
                         sequence);
  }
}

}  // namespace

void join_group(WorkerState& worker, Session& session, const Subscription& subscription,
                std::uint32_t operation) {
  GroupMail mail = mail_from(session, GroupMail::Kind::kJoin, subscription.group);
  mail.operation = operation;
  mail.membership = subscription.membership;
  mail.window = window_of(session);
  mail.unsettled = unsettled_of(session, *subscription.group);
  mail.is_stored = session.stored != nullptr;
  post(worker, std::move(mail));
}

void leave_group(WorkerState& worker, Session& session, const Subscription& subscription,
                 std::uint32_t operation) {
  // Offline first, so that the group does not choose this member for what comes back.
  post(worker, mail_from(session, GroupMail::Kind::kOffline, subscription.group));
  give_back_unsent(worker, session, *subscription.group);
  GroupMail mail = mail_from(session, GroupMail::Kind::kLeave, subscription.group);
  mail.operation = operation;
  post(worker, std::move(mail));
}

void groups_online(WorkerState& worker, Session& session) {
  if (session.shared_count == 0) return;
  for (const auto& subscription : session.subscriptions) {
    if (!subscription->group) continue;
    GroupMail mail = mail_from(session, GroupMail::Kind::kOnline, subscription->group);
    mail.window = window_of(session);
    mail.is_stored = session.stored != nullptr;
    post(worker, std::move(mail));
  }
}

void groups_offline(WorkerState& worker, Session& session) {
  const bool is_member = session.shared_count != 0;
  for (const auto& subscription : session.subscriptions) {
    if (!is_member || !subscription->group) continue;
    post(worker, mail_from(session, GroupMail::Kind::kOffline, subscription->group));
  }
  // In the order of the group: what was sent before what was not.
  give_back_unacknowledged(worker, session);
  for (const auto& subscription : session.subscriptions) {
    if (!is_member || !subscription->group) continue;
    give_back_unsent(worker, session, *subscription->group);
  }
}

void settle_with_group(WorkerState& worker, Session& session, const Delivery& delivery) {
  if (delivery.group_sequence != 0) settle(worker, session, delivery.group, delivery.group_sequence);
}

void take_assigned(WorkerState& worker, const Assignment& assignment, Publication& publication,
                   bool is_last) {
  Session* session = worker.sessions.find(assignment.shard, *assignment.client_id);
  const bool is_known = session != nullptr && session->serial == assignment.member;
  const Subscription* subscription = is_known ? session->subscriptions.find(assignment.group->text) : nullptr;
  // Given to a membership that has ended since: the group forgot the count with it.
  const bool is_counted = subscription != nullptr && subscription->membership == assignment.membership;
  if (!is_counted || session->connection == nullptr) {
    return send_back(worker, assignment, publication.message(), is_counted);
  }
  Receiver receiver{
      .session = session, .qos = subscription->qos, .retain_as_published = subscription->retain_as_published};
  if (subscription->identifier != 0) receiver.subscription_ids.push_back(subscription->identifier);
  const bool is_acknowledged =
      receiver.session->qos_of(publication.qos(), receiver.qos) != mqtt::Qos::kAtMostOnce;
  // Else nothing will be acknowledged: the group need not wait.
  if (!is_acknowledged && assignment.sequence != 0)
    settle(worker, *session, assignment.group, assignment.sequence);
  deliver(worker, publication, receiver, is_last, is_acknowledged ? &assignment : nullptr);
}

void on_member_mail(WorkerState& worker, MemberMail mail) {
  if (mail.kind == MemberMail::Kind::kAssigned) {
    ++worker.ledger().taken_over;
    Publication publication{std::move(mail.message)};
    const ShardId shard = worker.node.shard_of(*mail.client_id);
    const Assignment assignment{mail.group,      mail.client_id, shard,        mail.member,
                                mail.membership, mail.sequence,  mail.is_given};
    return take_assigned(worker, assignment, publication, true);
  }
  Session* session = worker.find_session(*mail.client_id);
  if (session == nullptr || session->serial != mail.member || session->connection == nullptr) return;
  protocol::on_group_answer(worker, *session->connection, mail.operation);
}

}  // namespace nightjar::broker
