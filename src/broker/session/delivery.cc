#include "broker/session/delivery.h"

#include <algorithm>

#include "base/log.h"
#include "broker/message_source.h"
#include "broker/mount_point.h"
#include "broker/routing/group_member.h"
#include "broker/worker.h"
#include "broker/worker_state.h"
#include "mqtt/writer.h"

namespace nightjar::broker {
namespace {

using mqtt::Qos;

// A pump stops at this much unsent output and goes on when three quarters of it have left: enough to keep a
// link busy, little enough that a thousand pumping sessions stay small.
constexpr std::size_t kPumpHighWater = 256 * 1024;
// Retained messages read per step, so that a large replay shares the worker with everybody else.
constexpr std::size_t kReplayStep = 64;
// Steps of one session before the others of the worker have theirs.
constexpr int kReplayStepsPerPump = 4;
// Worst case of what a Topic Alias adds to a packet (identifier and value).
constexpr std::size_t kAliasBytes = 3;
// What a PUBLISH has at most beside topic, properties and payload: first byte, two lengths of up to four
// bytes, the topic's length, packet id.
constexpr std::size_t kPublishHeadersMax = 1 + 4 + 4 + 2 + 2;

bool has_window(const Connection& connection, const Session& session) {
  const ListenerPolicy& policy = *connection.policy;
  return connection.sent_unacknowledged < std::min(connection.receive_maximum, policy.inflight_max) &&
         session.in_flight.size() < 0xFFFF &&
         (connection.sent_unacknowledged == 0 ||
          connection.sent_unacknowledged_bytes < policy.inflight_bytes_max);
}

bool has_room(Connection& connection) {
  const std::size_t high_water = std::min<std::size_t>(kPumpHighWater, connection.policy->output_bytes_max);
  if (connection.transport().unsent_bytes() < high_water) return true;
  connection.transport().notify_when_drained(high_water / 4);
  return false;
}

// The properties that this delivery adds to those of the message.
ByteView added_properties(WorkerState& worker, const Delivery& delivery) {
  worker.properties.clear();
  mqtt::PropertyWriter writer{worker.properties};
  if (delivery.message->expires() != kNever) {
    const std::int64_t left_ms = std::max<std::int64_t>(0, (delivery.message->expires() - worker.now).ms);
    writer.u32(mqtt::PropertyId::kMessageExpiryInterval, static_cast<std::uint32_t>((left_ms + 999) / 1000));
  }
  for (const std::uint32_t id : delivery.subscription_ids) {
    writer.varint(mqtt::PropertyId::kSubscriptionIdentifier, id);
  }
  return worker.properties.view();
}

// The message counts among those of a session that is kept.
bool is_kept(const Session& session, mqtt::Qos qos, const Assignment* assignment) {
  return session.stored && qos != Qos::kAtMostOnce && (assignment == nullptr || assignment->is_given);
}

// False if the packet is larger than the client is sent [MQTT-3.1.2-24], or its topic is none that the client
// could name; nothing was written then.
bool write(WorkerState& worker, Connection& connection, const Delivery& delivery, mqtt::PacketId id,
           bool dup) {
  const Message& message = *delivery.message;
  mqtt::PublishOut out{.dup = dup,
                       .qos = delivery.qos,
                       .retain = delivery.retain,
                       .packet_id = id,
                       .topic = message.topic(),
                       .properties = message.properties(),
                       .payload = message.payload()};
  if (connection.is_mounted) {
    const auto topic = unmounted_topic(connection.policy->mount_point, out.topic);
    if (!topic) return false;
    out.topic = *topic;
  }
  if (connection.is_v5()) out.more_properties = added_properties(worker, delivery);
  const bool is_limited = connection.packet_bytes_max != 0;
  const std::size_t size = is_limited ? mqtt::publish_size(connection.version, out) : 0;
  if (!connection.takes(size)) return false;
  if (connection.outgoing_aliases) {
    const bool fits = connection.takes(size + kAliasBytes);
    const auto choice = fits ? connection.outgoing_aliases->choose(out.topic) : OutgoingAliases::Choice{};
    if (choice.alias != 0) {
      mqtt::PropertyWriter{worker.properties}.u16(mqtt::PropertyId::kTopicAlias, choice.alias);
      out.more_properties = worker.properties.view();
      if (choice.is_known) out.topic = {};
    }
  }
  ByteBuffer& output = connection.transport().output();
  const std::size_t before = output.size();
  mqtt::write_publish(output, connection.version, out);
  worker.counters.bytes_sent += output.size() - before;
  ++worker.counters.packets_sent;
  ++worker.counters.publish_sent;
  worker.counters.publish_bytes_sent += message.payload().size();
  connection.transport().flush_later();
  return true;
}

void leave_window(Connection& connection, const InFlight::Entry& entry) {
  if (!entry.is_counted) return;
  --connection.sent_unacknowledged;
  connection.sent_unacknowledged_bytes -= entry.counted_bytes;
}

// True if the receiver gets the packet as anybody of its version does: nothing is added, and it is certainly
// not too large.
bool takes_common_form(const Connection& connection, const Publication& publication,
                       const Receiver& receiver) {
  if (publication.expires() != kNever || connection.is_mounted) return false;
  if (!connection.takes(publication.size() + kPublishHeadersMax)) return false;
  return !connection.is_v5() || (!connection.outgoing_aliases && receiver.subscription_ids.empty());
}

void append_common_form(WorkerState& worker, Connection& connection, Publication& publication,
                        const Publication::Form& form) {
  worker.counters.bytes_sent += publication.append_to(connection.transport().output(), form);
  ++worker.counters.packets_sent;
  ++worker.counters.publish_sent;
  worker.count_work(connection.session->shard);
  worker.counters.publish_bytes_sent += publication.payload_bytes();
  connection.transport().flush_later();
}

void occupy_window(Connection& connection, InFlight::Entry& entry) {
  entry.is_counted = true;
  const MessageRef& message = entry.delivery.message;
  const bool counts_payload = connection.policy->queue.counts_payload_only;
  const std::size_t bytes = !message ? 0 : counts_payload ? message->payload_size() : message->size();
  entry.counted_bytes = static_cast<std::uint32_t>(bytes);
  ++connection.sent_unacknowledged;
  connection.sent_unacknowledged_bytes += entry.counted_bytes;
}

// The packet id of an entry, and the message if it is new, go to the store.
void store_sent(WorkerState& worker, Session& session, InFlight::Entry& entry) {
  entry.delivery.enqueued = worker.now;  // its client may answer from now on
  if (entry.delivery.sequence == 0) {
    worker.journal.add(session, entry.delivery, entry.packet_id);
  } else {
    worker.journal.touch(session, entry.delivery.qos == Qos::kExactlyOnce);
  }
}

// A QoS 2 message of a kept session: its first byte leaves when message and packet id are durable (rules: 3).
// What comes behind it waits for it.
void send_when_stored(WorkerState& worker, Session& session, InFlight::Entry& entry) {
  if (entry.delivery.is_kept) store_sent(worker, session, entry);
  ++worker.ledger().in_flight;
  occupy_window(*session.connection, entry);
  Unsent waiting{.id = entry.packet_id};
  if (entry.delivery.is_kept && entry.delivery.qos == Qos::kExactlyOnce) {
    waiting.message = worker.journal.point_of(entry.delivery);
    waiting.packet_id = worker.journal.latest();
  }
  auto& unsent = session.stored->unsent;
  if (!unsent) unsent = std::make_unique<boost::container::deque<Unsent>>();
  unsent->push_back(waiting);
  worker.journal.wait(session, waiting.message);
  worker.journal.wait(session, {worker.index, waiting.packet_id});
}

void send_now(WorkerState& worker, Session& session, Delivery delivery) {
  Connection& connection = *session.connection;
  if (delivery.qos == Qos::kAtMostOnce) {
    if (write(worker, connection, delivery, {}, false)) {
      ++worker.ledger().delivered;
    } else {
      drop(worker, session, delivery, DropReason::kTooLarge);
    }
    return;
  }
  InFlight::Entry& entry = session.in_flight.add();
  entry.delivery = std::move(delivery);
  const bool waits = entry.delivery.is_kept && entry.delivery.qos == Qos::kExactlyOnce;
  if (waits || session.has_unsent()) return send_when_stored(worker, session, entry);
  if (!write(worker, connection, entry.delivery, entry.packet_id, false)) {
    const Delivery unsent = entry.delivery;
    session.in_flight.erase(entry);
    drop(worker, session, unsent, DropReason::kTooLarge);
    return;
  }
  entry.was_sent = true;
  if (entry.delivery.is_kept) store_sent(worker, session, entry);
  ++worker.ledger().in_flight;
  occupy_window(connection, entry);
}

void warn_queue_high(Session& session, const QueueLimits& limits) {
  if (session.warned_queue_high) return;
  if (session.outbox.size() < limits.messages_max / 5 * 4 &&
      session.outbox.bytes() < limits.bytes_max / 5 * 4)
    return;
  session.warned_queue_high = true;
  log::warn("queue is four fifths full, messages will be dropped when it is full",
            {{"client", session.client_id},
             {"messages", std::to_string(session.outbox.size())},
             {"bytes", std::to_string(session.outbox.bytes())}});
}

void drop_oldest(WorkerState& worker, Session& session) {
  --worker.ledger().waiting;
  drop(worker, session, session.outbox.pop(), DropReason::kQueueFull);
}

void append(WorkerState& worker, Session& session, Delivery delivery) {
  delivery.enqueued = worker.now;
  ++worker.ledger().waiting;
  if (delivery.is_kept) worker.journal.add(session, delivery, {});
  if (delivery.is_kept && session.connection == nullptr) worker.journal.spill_later(session);
  session.outbox.push(std::move(delivery));
}

// The queue has no room for `delivery`.
mqtt::ReasonCode overflow(WorkerState& worker, Session& session, Delivery delivery) {
  const QueueLimits& limits = session.policy->queue;
  delivery.enqueued = worker.now;
  OverflowPolicy policy = delivery.qos == Qos::kAtMostOnce ? OverflowPolicy::kDropNew : limits.overflow;
  // What the store alone holds stays as it is.
  const bool is_changing = policy == OverflowPolicy::kDropOld || policy == OverflowPolicy::kConflate;
  if (is_changing && session.outbox.spilled() != nullptr) policy = OverflowPolicy::kDropNew;
  switch (policy) {
    case OverflowPolicy::kConflate:
      if (delivery.is_kept && session.outbox.holds_topic(delivery.message->topic())) {
        worker.journal.add(session, delivery, {});
        session.stored->is_conflated = true;
      }
      if (Delivery old = session.outbox.conflate(delivery); old.message) {
        drop(worker, session, old, DropReason::kConflated);
        // The newer one may be larger.
        while (session.outbox.size() > 1 && session.outbox.bytes() > limits.bytes_max) {
          drop_oldest(worker, session);
        }
        return mqtt::ReasonCode::kSuccess;
      }
      [[fallthrough]];
    case OverflowPolicy::kDropOld:
      while (!session.outbox.empty() && session.outbox.is_full(limits, delivery.message->size())) {
        drop_oldest(worker, session);
      }
      if (limits.messages_max == 0) break;
      append(worker, session, std::move(delivery));
      return mqtt::ReasonCode::kSuccess;
    case OverflowPolicy::kDisconnect:
      if (session.connection != nullptr) {
        worker.to_close.push_back({session.connection, mqtt::ReasonCode::kQuotaExceeded,
                                   "its queue is full (overflow = \"disconnect\")"});
      }
      break;
    case OverflowPolicy::kReject:
    case OverflowPolicy::kDropNew:
      break;
  }
  drop(worker, session, delivery, DropReason::kQueueFull);
  return policy == OverflowPolicy::kReject ? mqtt::ReasonCode::kQuotaExceeded : mqtt::ReasonCode::kSuccess;
}

// Where there are no rules, nobody is asked about every message.
bool may_receive(const WorkerState& worker, const Session& session, std::string_view topic) {
  Authorizer& authorizer = worker.node.ports().authorizer;
  return !authorizer.checks_receive() ||
         authorizer.may_receive({session.client_id, session.user_name, session.policy->name}, topic);
}

// Whoever published it may have lost the right to since.
bool may_source_publish(const WorkerState& worker, const Message& retained) {
  Authorizer& authorizer = worker.node.ports().authorizer;
  if (!worker.node.policy().checks_retained_source || !authorizer.checks_receive()) return true;
  return retained.source().empty() ||
         authorizer.may_publish(read_source(retained.source()), retained.topic(), retained.qos(), true);
}

// Its Message Expiry Interval has passed, or it waited longer than the queue's limit.
bool is_expired(const WorkerState& worker, const Session& session, const Delivery& waiting) {
  const Duration age_max = session.policy->queue.age_max;
  return waiting.message->expires() <= worker.now ||
         (age_max.ms > 0 && waiting.enqueued + age_max <= worker.now);
}

mqtt::ReasonCode enqueue(WorkerState& worker, Session& session, Delivery delivery) {
  const QueueLimits& limits = session.policy->queue;
  // What is too old makes room before anything younger is lost.
  while (session.outbox.has_front() && session.outbox.is_full(limits, delivery.message->size()) &&
         is_expired(worker, session, session.outbox.front())) {
    --worker.ledger().waiting;
    drop(worker, session, session.outbox.pop(), DropReason::kExpired);
  }
  if (session.outbox.is_full(limits, delivery.message->size())) {
    return overflow(worker, session, std::move(delivery));
  }
  append(worker, session, std::move(delivery));
  warn_queue_high(session, limits);
  if (session.connection != nullptr) worker.pump_later(session);
  return mqtt::ReasonCode::kSuccess;
}

bool is_output_full(Connection& connection, std::size_t size) {
  const std::size_t unsent = connection.transport().unsent_bytes();
  return unsent != 0 && unsent + size > connection.policy->output_bytes_max;
}

bool is_durable(const WorkerState& worker, const Unsent& unsent) {
  return worker.journal.is_durable(unsent.message) && worker.journal.is_durable(unsent.packet_id);
}

// An entry that is in the window already; dropped if it is larger than the client takes.
void send_entry(WorkerState& worker, Session& session, InFlight::Entry& entry) {
  if (write(worker, *session.connection, entry.delivery, entry.packet_id, entry.was_sent)) {
    entry.was_sent = true;
    return;
  }
  --worker.ledger().in_flight;
  const Delivery unsent = entry.delivery;
  leave_window(*session.connection, entry);
  session.in_flight.erase(entry);
  drop(worker, session, unsent, DropReason::kTooLarge);
}

// False if the pump has to stop.
bool pump_resend(WorkerState& worker, Session& session) {
  Connection& connection = *session.connection;
  if (!session.resend) return true;
  for (; !session.resend->empty(); session.resend->pop_front()) {
    const Unsent& next = session.resend->front();
    if (!is_durable(worker, next)) return false;
    InFlight::Entry* entry = session.in_flight.find(next.id);
    if (entry == nullptr) continue;
    if (!has_room(connection)) return false;
    if (entry->state == InFlight::State::kReleased) {
      ByteBuffer& output = connection.transport().output();
      const std::size_t before = output.size();
      mqtt::write_publish_ack(output, connection.version, mqtt::PacketType::kPubrel, entry->packet_id);
      worker.counters.bytes_sent += output.size() - before;
      ++worker.counters.packets_sent;
      connection.transport().flush_later();
      // PUBREL takes no part of the window [section 4.9], but one message at a time means this one, too.
      if (connection.policy->inflight_max == 1) occupy_window(connection, *entry);
    } else {
      if (!has_window(connection, session)) return false;
      occupy_window(connection, *entry);
      send_entry(worker, session, *entry);
    }
  }
  session.resend.reset();
  return true;
}

// Sends for the first time what has become durable. False if the room ran out.
bool pump_unsent(WorkerState& worker, Session& session) {
  if (!session.has_unsent()) return true;
  auto& unsent = *session.stored->unsent;
  while (!unsent.empty() && is_durable(worker, unsent.front())) {
    if (!has_room(*session.connection)) return false;
    if (InFlight::Entry* entry = session.in_flight.find(unsent.front().id))
      send_entry(worker, session, *entry);
    unsent.pop_front();
  }
  if (unsent.empty()) session.stored->unsent.reset();
  return true;
}

// Sends what was read of a replay. False if window or room ran out.
bool send_ready(WorkerState& worker, Session& session, RetainedReplay& replay,
                const Subscription& subscription) {
  while (replay.next_ready < replay.ready.size()) {
    MessageRef& message = replay.ready[replay.next_ready];
    const bool is_own =
        subscription.no_local && message->origin() == session.client_id_hash;  // [MQTT-3.8.3-3]
    if (is_own || message->expires() <= worker.now) {  // expired while it waited for the client
      ++replay.next_ready;
      continue;
    }
    const Qos qos = session.qos_of(message->qos(), subscription.qos);
    if (!has_room(*session.connection)) return false;
    if (qos != Qos::kAtMostOnce && !has_window(*session.connection, session)) return false;
    ++replay.next_ready;
    ++worker.ledger().routed;
    Delivery delivery{.message = std::move(message), .qos = qos, .retain = true, .enqueued = worker.now};
    delivery.is_kept = is_kept(session, qos, nullptr);
    if (subscription.identifier != 0) delivery.subscription_ids.push_back(subscription.identifier);
    if (!may_receive(worker, session, delivery.message->topic()) ||
        !may_source_publish(worker, *delivery.message)) {
      drop(worker, session, delivery, DropReason::kDenied);
    } else {
      send_now(worker, session, std::move(delivery));
    }
  }
  replay.ready.clear();
  replay.next_ready = 0;
  return true;
}

// Fewer than these in front of what the store alone has, and the next are read.
constexpr std::size_t kLoadedMin = 64;
constexpr std::size_t kLoadBytes = 256 * 1024;

// `first`: the sequence that was asked for.
void on_loaded(WorkerState& worker, Session& session, std::uint64_t first,
               const Result<StoredEntries>& rows) {
  session.stored->is_loading = false;
  const Outbox::Spilled* spilled = session.outbox.spilled();
  if (spilled == nullptr) return;
  // The client was away in between, and what had been loaded in front of these was let go again.
  if (spilled->first_sequence != first) return worker.pump_later(session);
  if (!rows) {
    // While the store opens its files again, or because they are damaged: the rest of the queue stays where
    // it is.
    const bool is_outage = worker.node.ports().store.is_refusing();
    worker.timers.arm(session.timer, worker.now + Duration::seconds(is_outage ? 1 : 60));
    if (is_outage) return;
    log::error(
        "messages that wait cannot be read: \"nightjar store verify\" says what is lost, \"nightjar store "
        "repair\" saves the rest",
        {{"client", session.client_id}, {"why", rows.error().message}});
    return;
  }
  const std::uint64_t before = spilled->count;
  for (const auto& [key, value] : *rows) {
    auto entries = read_queue_value(value, worker.node.store_clock());
    if (!entries) {
      log::error("messages that wait for a client are damaged; \"nightjar store verify\" says more",
                 {{"client", session.client_id}});
      continue;
    }
    for (QueueEntry& entry : *entries) {
      spilled = session.outbox.spilled();
      const bool is_next = spilled != nullptr && spilled->count != 0 &&
                           entry.sequence >= spilled->first_sequence &&
                           !session.stored->gone.contains(entry.sequence);
      if (is_next) session.outbox.load(delivery_of(std::move(entry)));
    }
  }
  spilled = session.outbox.spilled();
  if (spilled != nullptr && spilled->count == before) {
    const std::uint64_t missing = session.outbox.end_spilled();
    worker.ledger().waiting -= static_cast<std::int64_t>(missing);
    worker.ledger().dropped[static_cast<std::size_t>(DropReason::kSessionEnded)] += missing;
    log::error(
        "the store does not have all messages that wait for a client; \"nightjar store verify\" says more",
        {{"client", session.client_id}, {"missing", std::to_string(missing)}});
  }
  if (session.connection == nullptr) return worker.journal.spill_later(session);
  worker.pump_later(session);
}

// Reads on in what the outbox has spilled; the session is pumped again then.
void load(WorkerState& worker, Session& session) {
  StoredSession& stored = *session.stored;
  if (stored.is_loading) return;
  stored.is_loading = true;
  const std::uint64_t first = session.outbox.spilled()->first_sequence;
  worker.node.ports().store.read(worker.index, Table::kQueues,
                                 queue_key(stored.queue, stored.rows.row_before(first)),
                                 queue_end_key(stored.queue), kLoadBytes,
                                 [client_id = session.client_id, queue = stored.queue.id, first](
                                     Worker& face, const Result<StoredEntries>& rows) {
                                   WorkerState& here = face.state();
                                   Session* found = here.find_session(client_id);
                                   if (found == nullptr || !found->stored || found->stored->queue.id != queue)
                                     return;
                                   on_loaded(here, *found, first, rows);
                                 });
}

// Sends what waits in the outbox up to `last_place`. False if window or room ran out.
bool pump_outbox(WorkerState& worker, Session& session, std::uint64_t last_place) {
  while (!session.outbox.empty()) {
    if (session.outbox.spilled() != nullptr && session.outbox.loaded() < kLoadedMin) load(worker, session);
    if (!session.outbox.has_front()) return false;
    if (session.outbox.front().place > last_place) break;
    const Delivery& first = session.outbox.front();
    const bool is_too_late = is_expired(worker, session, first);
    // The rules may have changed while it waited.
    const bool is_denied = !is_too_late && !may_receive(worker, session, first.message->topic());
    if (!is_too_late && !is_denied) {
      if (!has_room(*session.connection)) return false;
      if (first.qos == Qos::kAtMostOnce && session.has_unsent()) return false;  // it would overtake them
      if (first.qos != Qos::kAtMostOnce && !has_window(*session.connection, session)) return false;
    }
    Delivery delivery = session.outbox.pop();
    --worker.ledger().waiting;
    if (is_too_late) {
      drop(worker, session, delivery, DropReason::kExpired);
    } else if (is_denied) {
      drop(worker, session, delivery, DropReason::kDenied);
    } else {
      send_now(worker, session, std::move(delivery));
    }
  }
  if (session.outbox.empty()) session.warned_queue_high = false;
  return true;
}

void read_on(WorkerState& worker, RetainedReplay& replay) {
  const std::size_t before = replay.cursor.visits;
  replay.is_read = !worker.node.retained().read(replay.subscription, replay.version, worker.now, kReplayStep,
                                                replay.cursor, replay.ready);
  worker.replay_share.take(replay.cursor.visits - before);
}

bool pump_replays(WorkerState& worker, Session& session) {
  int steps = 0;
  while (!session.replays.empty()) {
    RetainedReplay& replay = session.replays.front();
    if (!pump_outbox(worker, session, replay.behind_place)) return false;
    Subscription* subscription = session.subscriptions.find(replay.subscription);
    const bool is_wanted = subscription != nullptr && subscription->since == replay.since;
    if (is_wanted) {
      if (!send_ready(worker, session, replay, *subscription)) return false;
      if (!replay.is_read) {
        if (worker.replay_share.is_used_up()) {
          worker.pump_with_next_share(session);
          return false;
        }
        if (steps++ == kReplayStepsPerPump) {
          worker.pump_later(session);  // next turn: others come first
          return false;
        }
        read_on(worker, replay);
        continue;
      }
      --subscription->replays_waiting;
    }
    session.replays.pop_front();
  }
  return true;
}

}  // namespace

mqtt::ReasonCode deliver(WorkerState& worker, Session& session, Delivery delivery) {
  if (!may_receive(worker, session, delivery.message->topic())) {
    drop(worker, session, delivery, DropReason::kDenied);
    return mqtt::ReasonCode::kSuccess;
  }
  const std::string& mount_point = session.policy->mount_point;
  if (!mount_point.empty() && !unmounted_topic(mount_point, delivery.message->topic())) {
    drop(worker, session, delivery, DropReason::kDenied);
    return mqtt::ReasonCode::kSuccess;
  }
  // On its way here its time may have passed [MQTT-3.3.2-5].
  if (delivery.message->expires() < worker.now) {
    drop(worker, session, delivery, DropReason::kExpired);
    return mqtt::ReasonCode::kSuccess;
  }
  const bool is_qos0 = delivery.qos == Qos::kAtMostOnce;
  if (session.connection == nullptr) {
    if (is_qos0 && !session.policy->queue.queue_qos0_offline) {
      drop(worker, session, delivery, DropReason::kOffline);
      return mqtt::ReasonCode::kSuccess;
    }
    return enqueue(worker, session, std::move(delivery));
  }
  if (!session.has_sent_all_else() || (session.has_unsent() && is_qos0))
    return enqueue(worker, session, std::move(delivery));
  Connection& connection = *session.connection;
  if (is_output_full(connection, delivery.message->size())) {
    if (!is_qos0) return enqueue(worker, session, std::move(delivery));
    drop(worker, session, delivery, DropReason::kOutputFull);
    return mqtt::ReasonCode::kSuccess;
  }
  if (!is_qos0 && !has_window(connection, session)) return enqueue(worker, session, std::move(delivery));
  send_now(worker, session, std::move(delivery));
  return mqtt::ReasonCode::kSuccess;
}

mqtt::ReasonCode deliver(WorkerState& worker, Publication& publication, const Receiver& receiver,
                         bool is_last, const Assignment* assignment) {
  Session& session = *receiver.session;
  const Qos qos = session.qos_of(publication.qos(), receiver.qos);
  const bool retain = receiver.retain_as_published && publication.retain();
  const bool kept = is_kept(session, qos, assignment);
  Connection* const connection = session.connection;
  const bool is_quick = connection != nullptr && session.is_caught_up() &&
                        takes_common_form(*connection, publication, receiver) &&
                        !is_output_full(*connection, publication.size()) &&
                        (qos == Qos::kAtMostOnce || has_window(*connection, session)) &&
                        !(kept && qos == Qos::kExactlyOnce) &&
                        may_receive(worker, session, publication.topic());
  if (!is_quick) {
    return deliver(worker, session,
                   {.message = publication.message(),
                    .qos = qos,
                    .retain = retain,
                    .is_kept = kept,
                    .subscription_ids = receiver.subscription_ids,
                    .group = assignment != nullptr ? assignment->group : nullptr,
                    .group_sequence = assignment != nullptr ? assignment->sequence : 0});
  }
  Publication::Form form{.is_v5 = connection->is_v5(), .qos = qos, .retain = retain};
  if (qos == Qos::kAtMostOnce) {
    append_common_form(worker, *connection, publication, form);
    ++worker.ledger().delivered;
    return mqtt::ReasonCode::kSuccess;
  }
  InFlight::Entry& entry = session.in_flight.add();
  Delivery& delivery = entry.delivery;
  delivery.message = is_last ? publication.take_message() : publication.message();
  delivery.qos = qos;
  delivery.retain = retain;
  delivery.is_kept = kept;
  if (assignment != nullptr) {
    delivery.group = assignment->group;
    delivery.group_sequence = assignment->sequence;
  }
  entry.was_sent = true;
  form.packet_id = entry.packet_id;
  append_common_form(worker, *connection, publication, form);
  if (kept) store_sent(worker, session, entry);
  ++worker.ledger().in_flight;
  occupy_window(*connection, entry);
  return mqtt::ReasonCode::kSuccess;
}

void pump(WorkerState& worker, Session& session) {
  if (session.connection == nullptr || session.connection->state != Connection::State::kConnected) return;
  if (!pump_resend(worker, session) || !pump_unsent(worker, session)) return;
  if (!pump_replays(worker, session)) return;
  pump_outbox(worker, session, session.outbox.last_place());
}

void drop(WorkerState& worker, Session& session, const Delivery& delivery, DropReason reason) {
  ++worker.ledger().dropped[static_cast<std::size_t>(reason)];
  session.count_drop(reason);
  worker.journal.forget(session, delivery);
  if (delivery.group) settle_with_group(worker, session, delivery);
}

void settle(WorkerState& worker, Session& session, InFlight::Entry& entry, mqtt::ReasonCode code) {
  --worker.ledger().in_flight;
  if (static_cast<std::uint8_t>(code) >= 0x80)
    return drop(worker, session, entry.delivery, DropReason::kRefused);
  ++worker.ledger().delivered;
  if (entry.delivery.group) settle_with_group(worker, session, entry.delivery);
}

void finish(WorkerState& worker, Session& session, InFlight::Entry& entry) {
  Connection& connection = *session.connection;
  leave_window(connection, entry);
  worker.journal.forget(session, entry.delivery);
  session.in_flight.erase(entry);
  if (!session.is_caught_up()) worker.pump_later(session);
}

void begin_resend(WorkerState& worker, Session& session) {
  session.resend.reset();
  if (session.stored) session.stored->unsent.reset();
  const bool is_arriving = !worker.moves.is_ready(session.shard);
  for (InFlight::Entry* entry : session.in_flight.in_order()) {
    entry->is_counted = false;
    Unsent again{.id = entry->packet_id};
    const bool is_first = entry->delivery.is_kept && !entry->was_sent;
    if (is_first && is_arriving) {
      again.message = {{}, kNeverDurable};  // until the shard is here
    } else if (is_first) {
      again.message = worker.journal.point_of(entry->delivery);
      worker.journal.wait(session, again.message);
    }
    if (!session.resend) session.resend = std::make_unique<boost::container::deque<Unsent>>();
    session.resend->push_back(again);
  }
  if (!session.is_caught_up()) worker.pump_later(session);
}

}  // namespace nightjar::broker
