#include "broker/receive_mail.h"

#include <span>

#include "broker/connections.h"
#include "broker/protocol/acknowledge.h"
#include "broker/protocol/handlers.h"
#include "broker/protocol/packet_loop.h"
#include "broker/routing/group_member.h"
#include "broker/routing/router.h"
#include "broker/worker_state.h"

namespace nightjar::broker {
namespace {

// A connection arrives at its home: its unread bytes are parsed before anything new is read (rules: 16).
void welcome(WorkerState& worker, std::unique_ptr<Connection> arriving) {
  Connection& connection = adopt_connection(worker, std::move(arriving));
  if (worker.drain.has_begun()) {
    refuse_connection(worker, connection, mqtt::ReasonCode::kServerUnavailable,
                      "the broker is shutting down");
    return;
  }
  protocol::complete_connect(worker, connection);
  protocol::resume_later(worker, connection);
}

void deliver_small(WorkerState& worker, const MailBatch& batch, const SmallDelivery& small) {
  Publication publication{batch.parts_of(small.message)};
  const std::span<const FilterId> filters{batch.filters.data() + small.first_filter, small.filter_count};
  deliver_local(worker, publication, small.version, filters);
}

bool is_here(const WorkerState& worker, ShardId shard) {
  return worker.node.owner_of(shard) == worker.index && worker.moves.is_ready(shard);
}

void take_assigned(WorkerState& worker, const MailBatch& batch, const SmallAssignment& assigned) {
  const GroupMember& member = batch.members[assigned.member];
  Publication publication{batch.parts_of(assigned.message)};
  if (is_here(worker, member.shard)) {
    ++worker.ledger().taken_over;
    const Assignment assignment{member.group,  member.client_id,  member.shard,
                                member.member, member.membership, assigned.sequence};
    return take_assigned(worker, assignment, publication, true);
  }
  // Its shard moves: one by one, as what is held or sent on must be.
  receive_addressed(worker, {.shard = member.shard,
                             .content = MemberMail{.kind = MemberMail::Kind::kAssigned,
                                                   .group = member.group,
                                                   .client_id = member.client_id,
                                                   .member = member.member,
                                                   .membership = member.membership,
                                                   .message = publication.take_message(),
                                                   .sequence = assigned.sequence}});
}

void take_settled(WorkerState& worker, const MailBatch& batch, const SettledMessage& settled) {
  const GroupMember& member = batch.members[settled.member];
  const ShardId shard = member.group->shard;
  if (is_here(worker, shard)) {
    return worker.groups.settle(worker, *member.group, {*member.client_id, member.member, settled.sequence});
  }
  receive_addressed(worker, {.shard = shard,
                             .content = GroupMail{.kind = GroupMail::Kind::kSettled,
                                                  .group = member.group,
                                                  .client_id = member.client_id,
                                                  .member = member.member,
                                                  .member_shard = member.shard,
                                                  .sequence = settled.sequence}});
}

struct Receive {
  WorkerState& worker;
  MailBatch& batch;

  void operator()(const SmallRun& run) const {
    for (std::uint32_t i = 0; i < run.count; ++i) deliver_small(worker, batch, batch.small[run.first + i]);
  }
  void operator()(DeliverMail& mail) const {
    const std::span<const FilterId> filters{batch.filters.data() + mail.first_filter, mail.filter_count};
    const mqtt::ReasonCode code = deliver_local(worker, mail, filters);
    if (mail.report.connection != 0) worker.mailer.post(mail.report.worker, ReportMail{mail.report, code});
  }
  void operator()(const AssignedRun& run) const {
    for (std::uint32_t i = 0; i < run.count; ++i) take_assigned(worker, batch, batch.assigned[run.first + i]);
  }
  void operator()(const SettledRun& run) const {
    for (std::uint32_t i = 0; i < run.count; ++i) take_settled(worker, batch, batch.settled[run.first + i]);
  }
  void operator()(ReportMail& mail) const { protocol::on_report(worker, mail); }
  void operator()(AddressedMail& mail) const { receive_addressed(worker, std::move(mail)); }
  void operator()(ShardMail& mail) const { worker.moves.on_mail(worker, std::move(mail)); }
  void operator()(const CommittedMail&) const { worker.journal.look(worker); }
  void operator()(TaskMail& mail) const { mail.run(worker.face); }
};

}  // namespace

void receive_batch(WorkerState& worker, MailBatch& batch) {
  for (Mail& mail : batch.mail) std::visit(Receive{worker, batch}, mail);
}

void receive_addressed(WorkerState& worker, AddressedMail mail) {
  if (worker.moves.redirect(worker, mail)) return;
  if (auto* connection = std::get_if<ConnectionMail>(&mail.content)) {
    welcome(worker, std::move(connection->connection));
  } else if (auto* group = std::get_if<GroupMail>(&mail.content)) {
    worker.groups.on_mail(worker, std::move(*group));
  } else {
    on_member_mail(worker, std::move(std::get<MemberMail>(mail.content)));
  }
}

}  // namespace nightjar::broker
