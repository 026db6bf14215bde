#!/usr/bin/env python3
"""Breaks the broker against one statement of the standards at a time, and expects the tests of that statement to fail.

The table in docs/conformance.md says which test proves which statement. That is true only if the test fails when the
broker does not do what the statement says. DRAWN of the statements that bind the broker were drawn at random; for each
a change of the code is written down here that breaks just that, preferably at an edge where a test could look away.
The tests of the statement are run against the broken broker, and those of CONTROL beside them: a broker that does
nothing right proves nothing. tests/broken_copy.py says what the words of the output mean.

  tests/conformance/broken_statements.py [-k WORD] [--guards]      ends with `N passed, N failed`
"""
import hashlib
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import broken_copy  # noqa: E402
from conformance import report  # noqa: E402

SEED = "2026"
DRAWN = 60
CONTROL = "5.0 MQTT-3.1.4-5"  # an accepted CONNECT is answered with CONNACK 0
TESTS_TIMEOUT_S = 600

# (statement, how it is broken, (file, the guard as it stands, what replaces it)...), in the order of the draw
BREAKS = [
    ("5.0 MQTT-6.0.0-1", "text frames are taken like binary ones",
     ("src/net/websocket_filter.cc",
      "if (header_.opcode == WebSocketOpcode::kText) return fail(WebSocketCloseCode::kUnsupportedData);", "")),
    ("5.0 MQTT-3.2.2-12", "a will above the Maximum QoS is taken",
     ("src/broker/protocol/connect.cc", "if (packet.will.qos > policy.maximum_qos) {", "if (false) {")),
    ("3.1.1 MQTT-4.1.0-1", "the QoS 2 messages that wait for PUBREL are forgotten between connections",
     ("src/broker/protocol/connect.cc", "connection.earlier_ids = session.incoming_ids;",
      "session.incoming_ids = {};")),
    ("5.0 MQTT-4.7.3-1", "an empty topic name is taken",
     ("src/mqtt/topic.cc", "return !text.empty() && text.size() <= kTopicBytesMax;",
      "return text.size() <= kTopicBytesMax;")),
    ("3.1.1 MQTT-3.1.4-3", "Clean Session 1 resumes the session",
     ("src/broker/protocol/connect.cc", "request->clean_start = packet.clean_start;",
      "request->clean_start = packet.clean_start && packet.version == Version::k5;")),
    ("5.0 MQTT-3.1.2-18", "a password is read without its flag",
     ("src/mqtt/read_connect.cc", "if (packet.has_password) {\n    NJ_TRY(",
      "if (packet.has_password || (packet.version == Version::k5 && !in.empty())) {\n    NJ_TRY(")),
    ("5.0 MQTT-4.9.0-2", "one PUBLISH goes out at a send quota of 0",
     ("src/broker/session/delivery.cc", "return connection.sent_unacknowledged < std::min(",
      "return connection.sent_unacknowledged <= std::min(")),
    ("5.0 MQTT-4.8.2-1", "a share name may be empty",
     ("src/mqtt/topic.cc", "if (!is_valid_topic_name(parts.share_name) ||",
      "if ((!parts.share_name.empty() && !is_valid_topic_name(parts.share_name)) ||")),
    ("3.1.1 MQTT-4.8.0-1", "packets that only a server sends are ignored",
     ("src/broker/protocol/packet_loop.cc",
      'return mqtt::Violation{ReasonCode::kProtocolError, "a packet that only a server sends"};', "return {};")),
    ("3.1.1 MQTT-3.1.2-24", "a silent client is kept for four Keep Alive times",
     ("src/broker/connections.cc", "const Duration patience{connection.keep_alive_s * std::int64_t{1500}};",
      "const Duration patience{connection.keep_alive_s * std::int64_t{4000}};")),
    ("5.0 MQTT-3.8.4-3", "Retain As Published stays as it was first asked for",
     ("src/broker/protocol/subscribe.cc", "subscription->retain_as_published = wanted.retain_as_published || request.connection.is_bridge;",
      "if (is_new) subscription->retain_as_published = wanted.retain_as_published;")),
    ("5.0 MQTT-3.14.2-1", "DISCONNECT with an unlisted code is a normal one",
     ("src/mqtt/read_disconnect.cc", "if (!is_allowed(packet.code, PacketType::kDisconnect, sender)) {",
      "if (false) {")),
    ("5.0 MQTT-4.7.3-3", "topics end at 65 534 bytes",
     ("src/mqtt/topic.cc", "kTopicBytesMax = 65'535;", "kTopicBytesMax = 65'534;")),
    ("5.0 MQTT-4.1.0-2", "a session outlives its expiry interval",
     ("src/broker/session/lifecycle.cc", "const MonoTime next = std::min(session.will_due, session.ends_at);",
      "const MonoTime next = session.will_due;")),
    ("5.0 MQTT-3.7.2-3", "PUBCOMP has a User Property whatever its size",
     ("src/broker/protocol/acknowledge.cc", "ByteView properties) {\n",
      "ByteView properties) {\n"
      "        ByteBuffer more;\n"
      "        more.append(properties);\n"
      "        if (ack.type == mqtt::PacketType::kPubcomp && explains && connection.is_v5())\n"
      "          mqtt::PropertyWriter{more}.user(\"name\", \"value\");\n"
      "        properties = more.view();\n")),
    ("5.0 MQTT-4.8.2-6", "what a member refuses goes back to the group",
     ("src/broker/session/delivery.cc",
      "if (static_cast<std::uint8_t>(code) >= 0x80)\n    return drop(",
      "void give_back_refused(WorkerState&, Session&, const Delivery&);\n"
      "  if (static_cast<std::uint8_t>(code) >= 0x80 && entry.delivery.group)\n"
      "    return give_back_refused(worker, session, entry.delivery);\n"
      "  if (static_cast<std::uint8_t>(code) >= 0x80)\n    return drop("),
     ("src/broker/routing/group_member.cc",
      "void settle_with_group(WorkerState& worker, Session& session, const Delivery& delivery) {",
      "void give_back_refused(WorkerState& worker, Session& session, const Delivery& delivery) {\n"
      "  give_back(worker, session, delivery);\n}\n\n"
      "void settle_with_group(WorkerState& worker, Session& session, const Delivery& delivery) {")),
    ("5.0 MQTT-4.8.2-2", "a share name may have wildcards",
     ("src/mqtt/topic.cc", "if (!is_valid_topic_name(parts.share_name) ||", "if (parts.share_name.empty() ||")),
    ("5.0 MQTT-3.2.2-1", "a reserved bit of the CONNACK flags is set when a session is resumed",
     ("src/mqtt/writer.cc", "out.u8(session_present && version != Version::k31 ? 1 : 0);",
      "out.u8(session_present && version != Version::k31 ? 3 : 0);")),
    ("3.1.1 MQTT-4.6.0-5", "what waits for the window leaves in reverse order",
     ("src/broker/session/outbox.cc", "waiting_->deliveries.push_back(std::move(delivery));\n  if (waiting_->by_topic)",
      "waiting_->deliveries.push_front(std::move(delivery));\n  if (waiting_->by_topic)")),
    ("5.0 MQTT-3.1.2-5", "a resumed session has lost its queue",
     ("src/broker/session/lifecycle.cc", "    session->use(policy);\n",
      "    session->use(policy);\n    while (!session->outbox.empty()) session->outbox.pop();\n")),
    ("5.0 MQTT-2.2.1-6", "UNSUBACK has an identifier of one byte",
     ("src/broker/protocol/unsubscribe.cc", ".packet_id = packet->packet_id}};",
      ".packet_id = mqtt::PacketId{static_cast<std::uint16_t>(packet->packet_id.value & 0xFF)}}};")),
    ("3.1.1 MQTT-3.3.1-4", "QoS 3 is read as QoS 2",
     ("src/mqtt/reader.cc", "return (flags & kQosBits) == kQosBits ? \"PUBLISH with QoS 3 [MQTT-3.3.1-4]\""
      " : std::string_view{};", "return {};"),
     ("src/mqtt/read_publish.cc", "if (packet.qos > Qos::kExactlyOnce) return malformed(\"PUBLISH with QoS 3"
      " [MQTT-3.3.1-4]\");", "if (packet.qos > Qos::kExactlyOnce) packet.qos = Qos::kExactlyOnce;")),
    ("3.1.1 MQTT-3.3.2-1", "a topic name may be any bytes",
     ("src/mqtt/read_publish.cc", "    NJ_TRY(packet.topic, in.utf8_string());",
      "    NJ_TRY(const ByteView any, in.binary());\n    packet.topic = as_text(any);")),
    ("3.1.1 MQTT-3.6.1-1", "PUBREL is taken with any flags",
     ("src/mqtt/reader.cc", "if (version == Version::k31) return {};",
      "if (version == Version::k31 || type == PacketType::kPubrel) return {};")),
    ("3.1.1 MQTT-3.1.2-4", "the session of Clean Session 0 ends with its connection",
     ("src/broker/protocol/connect.cc", "request->expiry_s = packet.clean_start ? 0 : kExpiryNever;",
      "request->expiry_s = 0;")),
    ("3.1.1 MQTT-3.10.1-1", "UNSUBSCRIBE is taken with any flags",
     ("src/mqtt/reader.cc", "if (version == Version::k31) return {};",
      "if (version == Version::k31 || type == PacketType::kUnsubscribe) return {};")),
    ("3.1.1 MQTT-3.1.2-17", "a will is not retained",
     ("src/broker/session/publish_will.cc", "const bool is_retained = will->retain && worker.node.retained().store(message);",
      "const bool is_retained = false;")),
    ("3.1.1 MQTT-2.3.1-4", "the identifier of a delivery is one more than are in flight, used or not",
     ("src/broker/session/outbox.cc",
      "  } while (slots_[last_id_ & mask].state != State::kFree);",
      "  } while (false);\n  last_id_ = static_cast<std::uint16_t>(count_ + 1);")),
    ("3.1.1 MQTT-4.6.0-2", "PUBACK passes those that wait for other workers",
     ("src/broker/protocol/acknowledge.cc", "if (!connection.pending_acks) {\n    if (when.awaited == 0",
      "if (when.awaited == 0 || !connection.pending_acks) {\n    if (when.awaited == 0")),
    ("5.0 MQTT-4.3.2-4", "a message for which nobody subscribed gets no PUBACK",
     ("src/broker/protocol/acknowledge.cc", "  if (!connection.pending_acks) {\n",
      "  if (type == mqtt::PacketType::kPuback && code == mqtt::ReasonCode::kNoMatchingSubscribers) return;\n"
      "  if (!connection.pending_acks) {\n")),
    ("5.0 MQTT-3.1.2-17", "the user name may be missing in spite of its flag",
     ("src/mqtt/read_connect.cc", "if (may_be_missing && in.empty()) packet.has_user_name = false;",
      "if (in.empty()) packet.has_user_name = false;")),
    ("3.1.1 MQTT-4.8.0-2", "a message that cannot be retained for lack of space is acknowledged all the same",
     ("src/broker/protocol/publish.cc",
      "if (!connection.is_v5()) {\n      session.incoming_ids.erase",
      "if (false) {\n      session.incoming_ids.erase")),
    ("5.0 MQTT-3.3.2-13", "a Response Topic may be any bytes",
     ("src/mqtt/properties.cc", "set(kResponseTopic, Kind::kUtf8,", "set(kResponseTopic, Kind::kBinary,")),
    ("3.1.1 MQTT-2.3.1-7", "SUBACK has an identifier of one byte",
     ("src/broker/protocol/subscribe.cc", ".packet_id = packet->packet_id}};",
      ".packet_id = mqtt::PacketId{static_cast<std::uint16_t>(packet->packet_id.value & 0xFF)}}};")),
    ("5.0 MQTT-4.3.3-13", "the exchange of a message with an expiry interval is not kept open for PUBREL",
     ("src/broker/protocol/publish.cc",
      "  if (packet.qos == Qos::kExactlyOnce) {\n    session.incoming_ids.insert(packet.packet_id);",
      "  if (packet.qos == Qos::kExactlyOnce && !packet.properties.has(PropertyId::kMessageExpiryInterval)) {\n"
      "    session.incoming_ids.insert(packet.packet_id);")),
    ("3.1.1 MQTT-3.8.3-4", "the option bits of 5.0 are taken from a 3.1.1 client",
     ("src/mqtt/read_subscribe.cc", "version == Version::k5 ? options & 0xC0 : options & 0xFC;", "options & 0xC0;")),
    ("3.1.1 MQTT-3.1.3-2", "client ids are told apart by their first 23 bytes",
     ("src/broker/protocol/connect.cc", "  request->client_id = packet.client_id;",
      "  request->client_id = packet.client_id.substr(0, 23);")),
    ("5.0 MQTT-3.3.1-5", "the first retained message of a topic stays",
     ("src/broker/retained/retained_messages.cc", "    replaced = std::exchange(place->message, std::move(message));",
      "    replaced = std::move(message);")),
    ("5.0 MQTT-3.6.2-2", "PUBREL has its Reason String whatever its size",
     ("src/broker/protocol/acknowledge.cc", "  send_packet(\n",
      "  if (ack.type == mqtt::PacketType::kPubrel) connection.packet_bytes_max = 0;\n  send_packet(\n")),
    ("5.0 MQTT-4.9.0-3", "UNSUBSCRIBE is ignored at a send quota of 0",
     ("src/broker/protocol/packet_loop.cc", "    case PacketType::kUnsubscribe:\n",
      "    case PacketType::kUnsubscribe:\n"
      "      if (connection.sent_unacknowledged >= connection.receive_maximum) return {};\n")),
    ("3.1.1 MQTT-7.0.0-2", "only a bridge in the convention of Mosquitto is let in",
     ("src/broker/protocol/connect.cc", "Outcome check_client_id(const mqtt::Connect& packet, const ListenerPolicy& policy) {\n",
      "Outcome check_client_id(const mqtt::Connect& packet, const ListenerPolicy& policy) {\n"
      "  if (packet.version == Version::k311 && !packet.is_bridge)\n"
      "    return mqtt::Violation{ReasonCode::kNotAuthorized, \"only bridges\"};\n")),
    ("3.1.1 MQTT-3.3.2-3", "a filter matches the topics below its own as well",
     ("src/broker/routing/subscription_tree.cc",
      "        report(node.below_workers, node.below_filter, out);\n        if",
      "        report(node.below_workers, node.below_filter, out);\n"
      "        report(node.workers, node.filter, out);\n        if")),
    ("5.0 MQTT-4.3.2-5", "QoS 1 with DUP is taken for a repetition",
     ("src/broker/protocol/publish.cc",
      "  if (Outcome outcome = check_against_policy(connection, packet)) return outcome;\n",
      "  if (Outcome outcome = check_against_policy(connection, packet)) return outcome;\n"
      "  if (packet.dup && packet.qos == Qos::kAtLeastOnce) {\n"
      "    acknowledge(worker, connection, next_place(connection), mqtt::PacketType::kPuback, packet.packet_id,\n"
      "                ReasonCode::kSuccess, {});\n"
      "    return {};\n"
      "  }\n")),
    ("5.0 MQTT-3.1.2-6", "a session that Clean Start 0 creates ends with its connection",
     ("src/broker/protocol/connect.cc", "  session.user_name = request->user_name;",
      "  if (!opened.is_present && !request->clean_start) session.expiry_s = 0;\n"
      "  session.user_name = request->user_name;")),
    ("5.0 MQTT-3.3.1-10", "Retain Handling 1 sends retained messages every time",
     ("src/broker/protocol/subscribe.cc", "(wanted.retain_handling == RetainHandling::kSendIfNew && is_new);",
      "(wanted.retain_handling == RetainHandling::kSendIfNew);")),
    ("3.1.1 MQTT-3.10.4-1", "UNSUBSCRIBE also deletes a filter that its own matches",
     ("src/broker/protocol/unsubscribe.cc",
      "  const Subscription* subscription = session.subscriptions.find(filter);",
      "    for (const auto& other : session.subscriptions) {\n"
      "      if (other->text == filter || !mqtt::matches(filter, other->text.view())) continue;\n"
      "      unsubscribe(worker, session, std::string{other->text.view()}, 0);\n"
      "      break;\n"
      "    }\n"
      "    const Subscription* subscription = session.subscriptions.find(filter);")),
    ("5.0 MQTT-3.3.2-19", "a Content Type may be any bytes",
     ("src/mqtt/properties.cc", "set(kContentType, Kind::kUtf8,", "set(kContentType, Kind::kBinary,")),
    ("3.1.1 MQTT-4.5.0-1", "sessions without a connection get nothing",
     ("src/broker/session/delivery.cc", "if (is_qos0 && !session.policy->queue.queue_qos0_offline) {",
      "if (!session.policy->queue.queue_qos0_offline) {")),
    ("5.0 MQTT-3.11.2-1", "UNSUBACK has its Reason String whatever its size",
     ("src/broker/protocol/subscribe.cc", "  const bool is_sent = send_packet(\n",
      "  if (answer.is_unsubscribe) connection.packet_bytes_max = 0;\n  const bool is_sent = send_packet(\n")),
    ("5.0 MQTT-3.3.4-2", "the last of overlapping subscriptions decides on the QoS",
     ("src/broker/routing/router.cc", "receiver.qos = std::max(receiver.qos, subscription.qos);",
      "receiver.qos = subscription.qos;")),
    ("5.0 MQTT-3.3.2-20", "the Content Type is not passed on",
     ("src/broker/protocol/forwarded_properties.cc", "      case mqtt::PropertyId::kTopicAlias:\n",
      "      case mqtt::PropertyId::kContentType:\n      case mqtt::PropertyId::kTopicAlias:\n")),
    ("5.0 MQTT-3.6.2-3", "PUBREL has a User Property whatever its size",
     ("src/broker/protocol/acknowledge.cc", "ByteView properties) {\n",
      "ByteView properties) {\n"
      "        ByteBuffer more;\n"
      "        more.append(properties);\n"
      "        if (ack.type == mqtt::PacketType::kPubrel && explains && connection.is_v5())\n"
      "          mqtt::PropertyWriter{more}.user(\"name\", \"value\");\n"
      "        properties = more.view();\n")),
    ("5.0 MQTT-3.1.2-8", "a delayed will is lost when the session ends before its delay",
     ("src/broker/session/lifecycle.cc", "    ++worker.counters.sessions_expired;\n",
      "    ++worker.counters.sessions_expired;\n    session.will.reset();\n")),
    ("5.0 MQTT-4.3.3-5", "a delivery is over when its PUBREL was sent",
     ("src/broker/protocol/pubrec.cc", "    entry->state = InFlight::State::kReleased;\n",
      "    finish(worker, session, *entry);\n"
      "    send_pubrel(worker, connection, ack.packet_id, mqtt::ReasonCode::kSuccess);\n"
      "    return {};\n")),
    ("5.0 MQTT-3.14.2-3", "DISCONNECT has its Reason String whatever its size",
     ("src/broker/connections.cc", "  send_packet(worker, connection, close.why, [&]",
      "  connection.packet_bytes_max = 0;\n  send_packet(worker, connection, close.why, [&]")),
    ("3.1.1 MQTT-4.3.2-2", "an identifier used at QoS 1 is still taken at QoS 2",
     ("src/broker/protocol/publish.cc",
      "  if (packet.qos == Qos::kExactlyOnce) {\n    session.incoming_ids.insert(packet.packet_id);",
      "  {\n    session.incoming_ids.insert(packet.packet_id);")),
    ("5.0 MQTT-1.5.7-1", "the value of a User Property may be any bytes",
     ("src/mqtt/properties.cc", "!(is_valid_utf8(item.text) && is_valid_utf8(item.text2))",
      "!is_valid_utf8(item.text)")),
    ("5.0 MQTT-3.1.2-24", "the Topic Alias is not counted into the size of a PUBLISH",
     ("src/broker/session/delivery.cc", "const bool fits = connection.takes(size + kAliasBytes);", "const bool fits = true;")),
    ("3.1.1 MQTT-3.2.2-5", "a refused client keeps its connection",
     ("src/broker/connections.cc", "  close_connection(worker, connection, {.code = code, .why = why});",
      "  if (connection.is_v5()) close_connection(worker, connection, {.code = code, .why = why});")),
    ("5.0 MQTT-3.3.4-1", "a repeated QoS 2 message is answered with PUBACK",
     ("src/broker/protocol/publish.cc", "next_place(connection), mqtt::PacketType::kPubrec, packet.packet_id,\n",
      "next_place(connection), mqtt::PacketType::kPuback, packet.packet_id,\n")),
    ("5.0 MQTT-3.3.2-2", "wildcards are seen only at the end of a topic name",
     ("src/mqtt/topic.cc", "return has_zero(without_bit ^ eight_times('#')) || has_zero(eight);",
      "return has_zero(eight);")),
]


def name_of(statement):
    return "%s %s" % (statement.standard, statement.id)


def statement_of(one):
    return one.name.split(":")[0]


def drawn():
    """The statements whose hash with SEED is lowest: a draw that a new statement in the lists hardly upsets."""
    binding = [name_of(one) for one in report.load() if one.side in report.TESTED_SIDES]
    return sorted(binding, key=lambda one: hashlib.sha256(("%s %s" % (SEED, one)).encode()).digest())[:DRAWN]


def complaints():
    """What is wrong with the list itself."""
    broken = {statement for statement, *_ in BREAKS}
    known = {name_of(one) for one in report.load()}
    return (["%s was drawn and is not broken here" % one for one in drawn() if one not in broken] +
            ["%s is no statement of the standards" % one for one in sorted(broken - known)])


def run_tests(copy, statements):
    """Rows of the runner for the tests of these statements, and its output."""
    results = copy.root / "results.json"
    results.unlink(missing_ok=True)
    wanted = [word for one in statements for word in ("--statement", one)]
    done = broken_copy.run([sys.executable, copy.root / "tests/conformance/runner.py", "--results", results, *wanted],
                           TESTS_TIMEOUT_S, env=dict(os.environ, NIGHTJAR_BIN=str(copy.program)))
    return json.loads(results.read_text(encoding="utf-8")) if results.exists() else [], done.output


def failed_tests(rows, statement):
    standard, one = statement.split()
    mine = [row for row in rows if row["standard"] == standard and one in row["statements"]]
    return [row["test"] for row in mine if not row["passed"]]


def notices(copy, one):
    statement = statement_of(one)
    rows, output = run_tests(copy, [statement, CONTROL])
    if not rows:
        return "BROKEN", "the tests do not run\n" + output[-1500:]
    control = failed_tests(rows, CONTROL)
    if control:
        return "BROKEN", "%s fails as well" % control[0]
    failed = failed_tests(rows, statement)
    return ("found", ", ".join(failed[:3])) if failed else ("MISSED", "")


def fault_without(copy, breaks):
    rows, output = run_tests(copy, [statement_of(one) for one in breaks] + [CONTROL])
    return None if rows and all(row["passed"] for row in rows) else output[-3000:]


def main():
    given = broken_copy.parser(__doc__).parse_args()
    wrong = complaints()
    if wrong:
        print("\n".join(wrong))
        return broken_copy.close(0, len(wrong))
    breaks = [broken_copy.Break("%s: %s" % (statement, how), [broken_copy.Edit(*edit) for edit in edits])
              for statement, how, *edits in BREAKS]
    return broken_copy.main(given, breaks, broken_copy.Copy("nightjar", "-DNIGHTJAR_TESTS=OFF"), notices, fault_without)


if __name__ == "__main__":
    sys.exit(main())
