#include "broker/protocol/packet_loop.h"

#include <algorithm>

#include "broker/connections.h"
#include "broker/protocol/filter_work.h"
#include "broker/protocol/handlers.h"
#include "broker/protocol/unfinished_packets.h"
#include "broker/worker_state.h"
#include "mqtt/reader.h"

namespace nightjar::broker::protocol {
namespace {

using mqtt::PacketType;
using State = Connection::State;

Outcome on_publish_ack(WorkerState& worker, Connection& connection, const mqtt::Frame& frame) {
  const mqtt::PublishAck& ack = worker.publish_ack;
  if (const auto read = mqtt::read_publish_ack(frame, connection.version, worker.publish_ack); !read)
    return read.error();
  switch (frame.type) {
    case PacketType::kPuback:
      return on_puback(worker, connection, ack);
    case PacketType::kPubrec:
      return on_pubrec(worker, connection, ack);
    case PacketType::kPubrel:
      return on_pubrel(worker, connection, ack);
    default:
      return on_pubcomp(worker, connection, ack);
  }
}

Outcome act(WorkerState& worker, Connection& connection, const mqtt::Frame& frame) {
  using mqtt::ReasonCode;
  switch (frame.type) {
    case PacketType::kPublish:
      return on_publish(worker, connection, frame);
    case PacketType::kPuback:
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
      return on_publish_ack(worker, connection, frame);
    case PacketType::kSubscribe:
      return on_subscribe(worker, connection, frame);
    case PacketType::kUnsubscribe:
      return on_unsubscribe(worker, connection, frame);
    case PacketType::kPingreq:
      return on_pingreq(worker, connection, frame);
    case PacketType::kDisconnect:
      return on_disconnect(worker, connection, frame);
    case PacketType::kAuth:
      return on_auth(worker, connection, frame);
    case PacketType::kConnect:
      return mqtt::Violation{ReasonCode::kProtocolError, "a second CONNECT [MQTT-3.1.0-2]"};
    default:
      return mqtt::Violation{ReasonCode::kProtocolError, "a packet that only a server sends"};
  }
}

void fail(WorkerState& worker, Connection& connection, const mqtt::Violation& violation) {
  ++worker.counters.protocol_errors;
  if (connection.state == State::kConnected) {
    close_connection(worker, connection, {.code = violation.code, .why = violation.why});
  } else if (connection.is_awaiting_auth) {
    refuse_connection(worker, connection, violation.code, violation.why);
  } else {
    // Not yet a client: nothing tells that this is MQTT at all [MQTT-3.1.4-1].
    close_connection(worker, connection, {.code = violation.code, .why = violation.why, .is_expected = true});
  }
}

// A packet before CONNACK: CONNECT, or AUTH where an authentication continues.
void act_for_stranger(WorkerState& worker, Connection& connection, const mqtt::Frame& frame) {
  if (connection.is_awaiting_auth) {
    if (frame.type == PacketType::kDisconnect) {
      close_connection(worker, connection, {.why = "the client gave up authentication", .is_expected = true});
      return;
    }
    const Outcome outcome = frame.type == PacketType::kAuth
                                ? on_auth(worker, connection, frame)
                                : mqtt::Violation{mqtt::ReasonCode::kProtocolError,
                                                  "only AUTH or DISCONNECT may come before CONNACK"};
    if (outcome) fail(worker, connection, *outcome);
    return;
  }
  if (frame.type != PacketType::kConnect) {
    fail(worker, connection,
         {mqtt::ReasonCode::kProtocolError, "the first packet is not CONNECT [MQTT-3.1.0-1]"});
    return;
  }
  on_connect(worker, connection, frame);
}

// Acts on whole packets from the front of `bytes`; returns how many bytes they took.
std::size_t parse(WorkerState& worker, Connection& connection, ByteView bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && !connection.filter_work && !connection.leaving) {
    const bool is_stranger = connection.state == State::kAwaitConnect || connection.is_awaiting_auth;
    if (!is_stranger && connection.state != State::kConnected) break;
    const ListenerPolicy& policy = *connection.policy;
    const auto next = mqtt::next_frame(bytes.subspan(used),
                                       is_stranger ? policy.connect_bytes_max : policy.packet_bytes_max,
                                       is_stranger ? mqtt::Version::k5 : connection.version);
    if (next.state == mqtt::FrameState::kNeedMore) break;
    if (next.state == mqtt::FrameState::kInvalid) {
      fail(worker, connection, next.violation);
      break;
    }
    ++worker.counters.packets_received;
    connection.last_received = worker.now;  // a whole packet counts, not bytes of one [MQTT-3.1.2-22]
    used += next.frame.size;
    if (is_stranger) {
      act_for_stranger(worker, connection, next.frame);
    } else if (const Outcome outcome = act(worker, connection, next.frame)) {
      fail(worker, connection, *outcome);
    }
  }
  return used;
}

// What strangers may hold is bounded: each for itself by its CONNECT limit, all together by the node's
// budget.
void check_stranger(WorkerState& worker, Connection& connection) {
  const std::size_t request_bytes = connection.connect ? connection.connect->bytes : 0;
  count_stranger_bytes(worker, connection, connection.unread.size() + request_bytes);
  const auto held = worker.node.stranger_bytes().load(std::memory_order_relaxed);
  if (held > static_cast<std::int64_t>(worker.node.policy().strangers_bytes_max)) {
    close_connection(worker, connection,
                     {.code = mqtt::ReasonCode::kServerBusy,
                      .why = "too many bytes from connections without CONNECT",
                      .is_expected = true});
  }
}

// Output above its limit grows only by answers (deliveries stop there). A client that asks on without reading
// them is let go before they cost more than this.
constexpr std::size_t kUnreadAnswerBytesMax = 64 * 1024;

void check_answers(WorkerState& worker, Connection& connection, std::size_t unsent_before) {
  const std::size_t unsent = connection.transport().unsent_bytes();
  if (unsent_before <= connection.policy->output_bytes_max) {
    connection.unread_answer_bytes = 0;
    return;
  }
  if (unsent > unsent_before) connection.unread_answer_bytes += unsent - unsent_before;
  if (connection.unread_answer_bytes > kUnreadAnswerBytesMax) {
    close_connection(worker, connection,
                     {.code = mqtt::ReasonCode::kQuotaExceeded, .why = "it does not read what it is sent"});
  }
}

// A packet of which so much is here is worth reads of its own, and counts among the unfinished ones.
constexpr std::size_t kLargePart = 64 * 1024;
// Memory for the whole of a packet is for those who have sent this much of it.
constexpr std::size_t kTrustedPart = 256 * 1024;

void parse_unread(WorkerState& worker, Connection& connection) {
  const std::size_t used = parse(worker, connection, connection.unread.view());
  if (connection.is_open()) connection.unread.consume(used);
}

void finish_receiving(WorkerState& worker, Connection& connection, std::size_t unsent_before) {
  if (connection.unread.empty()) connection.unread.release();
  if (connection.state == State::kAwaitConnect || connection.state == State::kAuthenticating)
    check_stranger(worker, connection);
  if (connection.state == State::kConnected) check_answers(worker, connection, unsent_before);
  if (connection.state == State::kConnected) count_unfinished(worker, connection);
}

}  // namespace

void receive(WorkerState& worker, Connection& connection, ByteView bytes) {
  worker.counters.bytes_received += bytes.size();
  if (!connection.is_open()) return;
  const std::size_t unsent_before = connection.transport().unsent_bytes();
  if (connection.unread.empty()) {
    const std::size_t used = parse(worker, connection, bytes);
    if (connection.is_open()) connection.unread.append(bytes.subspan(used));
  } else {
    connection.unread.append(bytes);
    parse_unread(worker, connection);
  }
  finish_receiving(worker, connection, unsent_before);
}

std::span<std::byte> room_for_rest(Connection& connection) {
  const std::size_t here = connection.unread.size();
  if (here < kLargePart || connection.state != State::kConnected || connection.filter_work) return {};
  const std::size_t needed =
      mqtt::next_frame(connection.unread.view(), connection.policy->packet_bytes_max, connection.version)
          .needed;
  if (needed <= here) return {};
  const std::size_t missing = needed - here;
  const std::size_t count = here < kTrustedPart ? std::min(missing, kTrustedPart) : missing;
  return {connection.unread.prepare_exactly(count), count};
}

void receive_rest(WorkerState& worker, Connection& connection, std::size_t count) {
  worker.counters.bytes_received += count;
  const std::size_t unsent_before = connection.transport().unsent_bytes();
  connection.unread.commit(count);
  parse_unread(worker, connection);
  finish_receiving(worker, connection, unsent_before);
}

void resume_later(WorkerState& worker, Connection& connection) {
  if (connection.is_to_resume) return;
  connection.is_to_resume = true;
  worker.to_resume.push_back(&connection);
}

void resume(WorkerState& worker, Connection& connection) {
  connection.is_to_resume = false;
  if (connection.state != State::kConnected && !connection.is_awaiting_auth) return;
  if (connection.filter_work) {  // it came along in a shard move
    worker.filter_workers.push_back(&connection);
    return;
  }
  const std::size_t used = parse(worker, connection, connection.unread.view());
  if (!connection.is_open()) return;
  connection.unread.consume(used);
  if (connection.unread.empty()) connection.unread.release();
  if (connection.state == State::kConnected) count_unfinished(worker, connection);
  if (connection.filter_work || connection.leaving) return;
  if (connection.state == State::kConnected || connection.is_awaiting_auth)
    connection.transport().resume_reading();
}

}  // namespace nightjar::broker::protocol
