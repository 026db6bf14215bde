#!/usr/bin/env python3
"""Plants bugs in a copy of the core, one at a time, and expects the simulator to find each.

A simulator that passes proves something only if it would fail. Each bug below is one of the interleavings that
the code guards against; the guard is taken out, the simulator is built again and has SEEDS seeds to notice.
tests/broken_copy.py says what the words of the output mean.

  tests/sim/planted_bugs.py [-k WORD] [--seeds N]      ends with `N passed, N failed`
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import broken_copy  # noqa: E402

# (name, file, the guard as it stands, what is left without it)
BUGS = [
    ("delivered to a subscription made later", "src/broker/routing/router.cc",
     "} else if (mail.version < std::max(subscription.since, subscription.moved_since)) {", "} else if (false) {"),
    ("a moved subscription also takes what was forwarded", "src/broker/routing/router.cc",
     "} else if (mail.version < std::max(subscription.since, subscription.moved_since)) {",
     "} else if (mail.version < subscription.since) {"),
    ("nothing is held while a shard arrives", "src/broker/routing/router.cc",
     "if (is_direct && !worker.moves.is_ready(shard)) {", "if (false) {"),
    ("the old owner forwards nothing", "src/broker/routing/router.cc",
     "if (is_direct) worker.moves.forward_departed(worker, mail, filters);", ""),
    ("a shard is ready before the fences", "src/broker/shard_move.cc",
     "!found->second.has_fences || ", ""),
    ("a shard is ready before the marks", "src/broker/shard_move.cc",
     "|| found->second.marks_missing != 0", ""),
    ("the old owner forgets the filters at once", "src/broker/shard_move.cc",
     "departing_.emplace(shard, std::move(departing));",
     "for (const auto& [id, text] : departing.filters) worker.subscribers.unpin(text, id);\n"
     "  departing_.emplace(shard, std::move(departing));"),
    ("mail for an arriving shard is not held", "src/broker/shard_move.cc",
     "if (is_ready(mail.shard)) return false;", "return false;"),
    ("clients are not read again after a move", "src/broker/shard_move.cc",
     "protocol::resume_later(worker, *session->connection);", ""),
    ("a resumed session still publishes its delayed will", "src/broker/session/lifecycle.cc",
     "session->timer.cancel();\n    session->will.reset();",
     "if (session->will) publish_will(worker, *session);\n    session->timer.cancel();\n    session->will.reset();"),
    ("the will dies with a clean session", "src/broker/session/lifecycle.cc",
     "if (session.will) publish_will(worker, session);", ""),
    ("sessions expire too early", "src/broker/session/lifecycle.cc",
     "worker.now + Duration::seconds(session.expiry_s)", "worker.now + Duration{session.expiry_s}"),
    ("a QoS 2 message sent again is routed again", "src/broker/protocol/publish.cc",
     "packet.qos == Qos::kExactlyOnce && session.incoming_ids", "false && session.incoming_ids"),
    ("new messages pass those that wait", "src/broker/session/delivery.cc",
     "if (!session.has_sent_all_else() || (session.has_unsent() && is_qos0))\n"
     "    return enqueue(worker, session, std::move(delivery));", ""),
    ("redelivery in reverse order", "src/broker/session/outbox.cc",
     "return a->sequence < b->sequence;", "return a->sequence > b->sequence;"),
    ("nothing is sent again after a reconnect", "src/broker/session/delivery.cc",
     "    session.resend->push_back(again);", "    (void)again;"),
    ("the window never opens again", "src/broker/session/delivery.cc",
     "  --connection.sent_unacknowledged;\n", ""),
    ("an acknowledgement does not send the next message", "src/broker/session/delivery.cc",
     "  session.in_flight.erase(entry);\n  if (!session.is_caught_up()) worker.pump_later(session);",
     "  session.in_flight.erase(entry);"),
    ("a dropped message is not counted for its client", "src/broker/session/session.cc",
     "++(*drops)[static_cast<std::size_t>(reason)];", ""),
    ("a member that leaves keeps the group's messages", "src/broker/routing/group_member.cc",
     "  give_back_unacknowledged(worker, session);\n", ""),
    ("QoS 2 in delivery goes to another member", "src/broker/routing/group_member.cc",
     "entry->delivery.qos != mqtt::Qos::kAtLeastOnce", "entry->state != InFlight::State::kPublished"),
    ("a returning member gets nothing", "src/broker/routing/group_member.cc",
     "void groups_online(WorkerState& worker, Session& session) {\n  if (session.shared_count == 0) return;",
     "void groups_online(WorkerState& worker, Session& session) {\n  if (session.shared_count < 99) return;"),
    ("copies between workers are not accounted", "src/broker/routing/shared_group.cc",
     "++worker.ledger().handed_over;", ""),
    ("unread bytes are lost on the way home", "src/broker/receive_mail.cc",
     "Connection& connection = adopt_connection(worker, std::move(arriving));",
     "arriving->unread.clear();\n  Connection& connection = adopt_connection(worker, std::move(arriving));"),
    ("PUBACK passes those that wait", "src/broker/protocol/acknowledge.cc",
     "if (!connection.pending_acks) {\n    if (when.awaited == 0",
     "if (when.awaited == 0 || !connection.pending_acks) {\n    if (when.awaited == 0"),
    ("retained after routing", "src/broker/protocol/publish.cc",
     "worker.node.retained().store(publication.message())",
     "(packet.payload.size() % 2 == 0 || worker.node.retained().store(publication.message()))"),
]


if __name__ == "__main__":
    sys.exit(broken_copy.plant(__doc__, BUGS, "nightjar_sim", seeds=200, options=["--stop"]))
