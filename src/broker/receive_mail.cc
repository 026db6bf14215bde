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
  const ByteView bytes = batch.bytes.view().subspan(small.bytes_at);
  Publication publication{
      {.topic = as_text(bytes.first(small.topic_bytes)),
       .payload = bytes.subspan(std::size_t{small.topic_bytes} + small.properties_bytes, small.payload_bytes),
       .properties = bytes.subspan(small.topic_bytes, small.properties_bytes),
       .qos = small.qos,
       .expires = small.expires,
       .origin = small.origin}};
  const std::span<const FilterId> filters{batch.filters.data() + small.first_filter, small.filter_count};
  deliver_local(worker, publication, small.version, filters);
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
