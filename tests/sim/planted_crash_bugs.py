#!/usr/bin/env python3
"""Plants bugs in a copy of the core, one at a time, and expects the crash simulator to find each.

As planted_bugs.py does for the simulator without a store: here what is taken out is the order in which something becomes
durable, is answered, is sent and is put back after a crash.

  tests/sim/planted_crash_bugs.py [-k WORD] [--seeds N]      ends with `N passed, N failed`
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import broken_copy  # noqa: E402

# (name, file, the guard as it stands, what is left without it)
BUGS = [
    ("acknowledged before it is durable", "src/broker/protocol/publish.cc",
     "{.awaited = published.awaited, .commit = commit}", "{.awaited = published.awaited, .commit = commit * 0}"),
    ("CONNACK before the session is durable", "src/broker/protocol/connect.cc",
     "if (worker.journal.count() == changes) return finish_connect",
     "if (worker.journal.count() >= changes) return finish_connect"),
    ("PUBCOMP before the packet id is forgotten", "src/broker/protocol/pubrel.cc",
     ".commit = session.stored ? worker.journal.latest() : 0", ".commit = 0"),
    ("PUBREC of a client is not stored", "src/broker/protocol/pubrec.cc",
     "if (entry->delivery.is_kept) worker.journal.touch(session, true);", ""),
    ("a QoS 2 packet id is not waited for", "src/broker/session/delivery.cc",
     "waiting.packet_id = worker.journal.latest();", ""),
    ("a QoS 2 message is not waited for", "src/broker/session/delivery.cc",
     "waiting.message = worker.journal.point_of(entry.delivery);", ""),
    ("a shard arrives before its commits are durable", "src/broker/shard_move.cc",
     "arriving.after = worker.journal.follow(mail.not_durable);", ""),
    ("what is held for an arriving shard is not waited for", "src/broker/durable/journal.cc",
     "  ++count_;  // whoever sent it waits for what is put off as well\n", ""),
    ("a group is not there before its members have joined", "src/broker/durable/restore.cc",
     "if (!mqtt::parse_shared(text, shared)) continue;",
     "if ((group.queue == 0 && group.record.version == 0) || !mqtt::parse_shared(text, shared)) continue;"),
    ("commits of the old worker count at the new one", "src/broker/shard_move.cc",
     "waiting = {.id = waiting.id, .message = {{}, kNeverDurable}};", "waiting = {.id = waiting.id};"),
    ("a client that comes with the mail waits for nothing", "src/broker/protocol/acknowledge.cc",
     "if (commit != kNeverDurable) return;\n    commit = after;", "commit = after;"),
    ("what was read too late is taken", "src/broker/session/delivery.cc",
     "if (spilled->first_sequence != first) return worker.pump_later(session);", "(void)first;"),
    ("a lost packet id moves its message behind", "src/broker/durable/restore.cc",
     "if (entry.sequence > newest) {", "if (newest < entry.sequence + entry.sequence) {"),
    ("what a member gave back is not known by its row", "src/broker/durable/restore.cc",
     "row >= record.next_sequence || entry.sequence >= record.next_sequence", "entry.sequence >= record.next_sequence"),
    ("given away before it was durable", "src/broker/routing/shared_group.cc", "  worker.journal.depend(stored);\n", ""),
    ("a commit does not follow what it came out of", "src/broker/durable/commit_order.cc",
     "if (is_behind_open || !std::all_of", "if (is_behind_open || false && !std::all_of"),
    ("rows of two commits overlap", "src/broker/durable/journal.cc", "sorted_[next]->stint == begin.stint && ", ""),
    ("what is noted of a stretch is of one commit only", "src/broker/durable/queue_rows.cc",
     "tally->record += what;", "tally->record = what;"),
]


# Most need shards that move often; what a row is written for needs long stays at one worker.
SETTLED = {"rows of two commits overlap": ["--stop", "1"]}


if __name__ == "__main__":
    sys.exit(broken_copy.plant(__doc__, BUGS, "nightjar_crash_sim", seeds=40000, options=["--stop", "1", "--restless", "1"],
                               others=SETTLED))
