#!/usr/bin/env python3
"""Plants bugs in a copy of the core, one at a time, and expects the simulator to find each.

A simulator that passes proves something only if it would fail. Each bug below is one of the interleavings that
the code guards against; the guard is taken out, the simulator is built again and has SEEDS seeds to notice.

  tests/sim/planted_bugs.py [-k WORD] [--seeds N]      ends with `N passed, N failed`
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

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
     "if (!session.is_caught_up()) return enqueue(worker, session, std::move(delivery));", ""),
    ("redelivery in reverse order", "src/broker/session/outbox.cc",
     "return a->sequence < b->sequence;", "return a->sequence > b->sequence;"),
    ("nothing is sent again after a reconnect", "src/broker/session/delivery.cc",
     "    session.resend.push_back(entry->packet_id);", ""),
    ("the window never opens again", "src/broker/session/delivery.cc",
     "    --connection.sent_unacknowledged;\n", ""),
    ("an acknowledgement does not send the next message", "src/broker/session/delivery.cc",
     "  session.in_flight.erase(entry);\n  if (!session.is_caught_up()) worker.pump_later(session);",
     "  session.in_flight.erase(entry);"),
    ("a dropped message is not counted for its client", "src/broker/session/session.cc",
     "++(*drops)[static_cast<std::size_t>(reason)];", ""),
    ("a member that leaves keeps the group's messages", "src/broker/routing/group_member.cc",
     "    give_back_unsent(worker, session, *subscription->group);", ""),
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
     "if (!connection.pending_acks) {\n    if (awaited == 0)", "if (awaited == 0 || !connection.pending_acks) {\n    if (awaited == 0)"),
    ("retained after routing", "src/broker/protocol/publish.cc",
     "worker.node.retained().store(message)", "(packet.payload.size() % 2 == 0 || worker.node.retained().store(message))"),
]


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def build(copy):
    return run(["ninja", "-j", "2", "-C", str(copy / "build"), "nightjar_sim"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", default="", help="only bugs with this word in their name")
    parser.add_argument("--seeds", type=int, default=200)
    arguments = parser.parse_args()
    copy = pathlib.Path(tempfile.mkdtemp(prefix="nightjar-planted-"))
    passed = failed = 0
    try:
        for part in ("CMakeLists.txt", "cmake", "src", "tests"):
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("node_modules", "corpus"))
            else:
                shutil.copy(source, copy / part)
        configured = run(["cmake", "-S", str(copy), "-B", str(copy / "build"), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                          "-DCMAKE_CXX_FLAGS_RELEASE=-O1", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"])
        built = build(copy) if configured.returncode == 0 else configured
        if built.returncode != 0:
            print(built.stdout[-3000:])
            print("0 passed, 1 failed")
            return 1
        for name, file, guard, without in BUGS:
            if arguments.k not in name:
                continue
            path = copy / file
            whole = path.read_text()
            if guard not in whole:
                print(f"STALE   {name}: {file} no longer holds the guard as written here", flush=True)
                failed += 1
                continue
            path.write_text(whole.replace(guard, without, 1))
            result = build(copy)
            if result.returncode != 0:
                print(f"BROKEN  {name}: does not compile\n{result.stdout[-1500:]}", flush=True)
                failed += 1
            else:
                sim = run([str(copy / "build/nightjar_sim"), "--seeds", str(arguments.seeds), "--stop"], timeout=600)
                found = next((line for line in sim.stdout.splitlines() if line.startswith("seed ")), "by a crash")
                if sim.returncode != 0:
                    print(f"found   {name}: {found[:110]}", flush=True)
                    passed += 1
                else:
                    print(f"MISSED  {name}", flush=True)
                    failed += 1
            path.write_text(whole)
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
