// SUBSCRIBE: each filter checked and entered before the SUBACK leaves; then its retained messages
// (section 3.8).
#include "broker/protocol/subscribe.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "broker/protocol/filter_work.h"
#include "broker/protocol/handlers.h"
#include "broker/routing/group_member.h"
#include "broker/send_packet.h"
#include "broker/worker_state.h"
#include "mqtt/topic.h"
#include "mqtt/writer.h"

namespace nightjar::broker::protocol {
namespace {

using mqtt::ReasonCode;
using mqtt::RetainHandling;
using mqtt::SubscriptionRequest;

bool is_error(ReasonCode code) { return static_cast<std::uint8_t>(code) >= 0x80; }

// What became of one filter; `why` names the limit or rule behind an error, for the Reason String and the
// log.
struct Answer {
  ReasonCode code = ReasonCode::kSuccess;
  std::string why{};
};

// Replays of one subscription that may wait at a time, so that repeating a SUBSCRIBE costs bounded memory.
constexpr std::uint16_t kReplaysWaitingMax = 8;
// Bytes of filters a session may hold: a million filters of usual length, but not of 65 535 bytes each.
constexpr std::size_t kSubscriptionBytesMax = 64 * 1024 * 1024;

// Groups that a session may be a member of: each costs a letter whenever the client comes or goes.
constexpr std::uint32_t kSharedSubscriptionsMax = 10'000;

// What one filter of a SUBSCRIBE is about, for the functions below.
struct Request {
  WorkerState& worker;
  Connection& connection;
  Session& session;
  std::uint32_t identifier;
  PendingSuback& answer;
};

Answer check_offer(const Request& request, const SubscriptionRequest& wanted, bool is_shared) {
  const ListenerPolicy& policy = *request.connection.policy;
  const auto is_off = [](ReasonCode code, std::string_view key) {
    return Answer{code, fmt::format("{} ({} = false)", to_string(code), key)};
  };
  if (is_shared && !policy.shared_subscription_available) {
    return is_off(ReasonCode::kSharedSubscriptionsNotSupported, "shared_subscription_available");
  }
  if (!policy.wildcard_subscription_available && mqtt::has_wildcard(wanted.filter)) {
    return is_off(ReasonCode::kWildcardSubscriptionsNotSupported, "wildcard_subscription_available");
  }
  if (request.identifier != 0 && !policy.subscription_identifier_available) {
    return is_off(ReasonCode::kSubscriptionIdentifiersNotSupported, "subscription_identifier_available");
  }
  return {};
}

Answer check_limits(const Request& request, const SubscriptionRequest& wanted, std::string_view filter,
                    bool is_shared) {
  const ListenerPolicy& policy = *request.connection.policy;
  if (const std::size_t levels = mqtt::level_count(filter); levels > policy.topic_levels_max) {
    // Correct but not for this listener: of the two, 3.x gets the code that does not end the connection.
    return {request.connection.is_v5() ? ReasonCode::kTopicFilterInvalid : ReasonCode::kQuotaExceeded,
            fmt::format("the filter has {} levels (max_topic_levels = {})", levels, policy.topic_levels_max)};
  }
  const SubscriptionSet& present = request.session.subscriptions;
  const bool has_too_many = present.size() >= policy.subscriptions_max;
  const bool has_too_many_groups = is_shared && request.session.shared_count >= kSharedSubscriptionsMax;
  const bool has_too_much = present.bytes() + wanted.filter.size() > kSubscriptionBytesMax;
  if ((!has_too_many && !has_too_many_groups && !has_too_much) || present.find(wanted.filter) != nullptr)
    return {};
  if (has_too_many) {
    return {ReasonCode::kQuotaExceeded,
            fmt::format("the session has no room for one more subscription (max_subscriptions = {})",
                        policy.subscriptions_max)};
  }
  if (has_too_many_groups) {
    return {ReasonCode::kQuotaExceeded,
            fmt::format("a session may be in {} shared groups", kSharedSubscriptionsMax)};
  }
  return {ReasonCode::kQuotaExceeded,
          fmt::format("the filters of a session may have {} bytes together", kSubscriptionBytesMax)};
}

// An error if this filter is not to be entered. `shared` is filled for "$share" filters.
Answer check(const Request& request, const SubscriptionRequest& wanted, mqtt::SharedFilter& shared) {
  const bool is_shared = mqtt::is_shared(wanted.filter);
  const bool is_valid =
      is_shared ? mqtt::parse_shared(wanted.filter, shared) : mqtt::is_valid_topic_filter(wanted.filter);
  if (!is_valid) {
    // 3.x knows no shared subscriptions: to it this is a proper filter that the server does not take.
    const bool is_proper = !request.connection.is_v5() && mqtt::is_valid_topic_filter(wanted.filter);
    return {is_proper ? ReasonCode::kSharedSubscriptionsNotSupported : ReasonCode::kTopicFilterInvalid};
  }
  const std::string_view filter = is_shared ? shared.filter : wanted.filter;
  if (Answer answer = check_offer(request, wanted, is_shared); is_error(answer.code)) return answer;
  if (Answer answer = check_limits(request, wanted, filter, is_shared); is_error(answer.code)) return answer;
  const ClientIdentity who{request.session.client_id, request.session.user_name,
                           request.connection.policy->name};
  if (!request.worker.node.ports().authorizer.may_subscribe(who, filter)) return {ReasonCode::kNotAuthorized};
  return {};
}

Subscription& enter(Request& request, const SubscriptionRequest& wanted, const mqtt::SharedFilter& shared) {
  WorkerState& worker = request.worker;
  auto made = std::make_unique<Subscription>();
  made->session = &request.session;
  made->text = wanted.filter;
  Subscription& entered = request.session.subscriptions.insert(std::move(made));
  ++worker.counters.subscriptions;
  worker.node.count_weight(request.session.shard, 1);
  if (shared.filter.empty()) {
    entered.since = worker.subscribers.add(entered.text, entered);
    return entered;
  }
  ++worker.counters.shared_subscriptions;
  ++request.session.shared_count;
  entered.group = std::make_shared<const GroupKey>(
      shared.share_name, shared.filter, worker.node.shard_of_group(shared.share_name, shared.filter));
  entered.membership = ++request.session.last_membership;
  ++request.answer.awaited;
  join_group(worker, request.session, entered, request.answer.operation);
  return entered;
}

// Whether the turn has time for a look at the retained messages.
bool may_look(WorkerState& worker, std::string_view filter) {
  if (!mqtt::has_wildcard(filter) || worker.node.retained().count() == 0) return true;
  return worker.retained_visits_left > 0;
}

// The retained messages that match come as a replay behind the SUBACK. What is stored from now on arrives
// live.
void begin_replay(Request& request, Subscription& subscription, bool is_new) {
  Session& session = request.session;
  // One that still waits brings the same; what is stored from now on comes live in any case.
  if (subscription.replays_waiting == kReplaysWaitingMax) return;
  RetainedReplay replay;
  replay.subscription = subscription.text;
  replay.since = subscription.since;
  replay.behind_place = session.outbox.last_place();
  RetainedMessages& retained = request.worker.node.retained();
  replay.version = retained.begin_replay();
  // A subscription that existed before may have live messages of older versions on their way: it gets them
  // twice rather than not at all [MQTT-3.8.4-4].
  if (is_new) subscription.retained_floor = replay.version;
  // Mostly nothing matches, and no replay has to wait in front of what comes live.
  if (may_look(request.worker, replay.subscription)) {
    replay.is_read = !retained.read(replay.subscription, replay.version, request.worker.now, 1, replay.cursor,
                                    replay.ready, RetainedMessages::kVisitsForALook);
    request.worker.retained_visits_left -= kVisitsOfALook + static_cast<std::int64_t>(replay.cursor.visits);
  }
  if (replay.is_read && replay.ready.empty()) return;
  ++subscription.replays_waiting;
  session.replays.push_back(std::move(replay));
  request.worker.pump_later(session);
}

void log_subscribed(const Request& request, const SubscriptionRequest& wanted, mqtt::Qos qos) {
  if (!log::enabled(log::Level::kDebug)) return;
  log::debug("subscribed", {{"client", request.session.client_id},
                            {"filter", std::string{wanted.filter}},
                            {"qos", std::to_string(static_cast<int>(qos))}});
}

Answer subscribe(Request& request, const SubscriptionRequest& wanted) {
  mqtt::SharedFilter shared;
  if (Answer refusal = check(request, wanted, shared); is_error(refusal.code)) return refusal;
  Subscription* subscription = request.session.subscriptions.find(wanted.filter);
  const bool is_new = subscription == nullptr;
  if (is_new) subscription = &enter(request, wanted, shared);
  subscription->qos = std::min(wanted.qos, request.connection.policy->maximum_qos);
  subscription->identifier = request.identifier;
  // A bridge of 3.1 or 3.1.1 has no bits for these two and expects them, or messages would go in circles.
  subscription->no_local = wanted.no_local || request.connection.is_bridge;
  subscription->retain_as_published = wanted.retain_as_published || request.connection.is_bridge;
  if (!is_new && !subscription->group) request.worker.subscribers.change(wanted.filter);
  if (request.session.stored) {
    request.worker.journal.put_subscription(request.session, *subscription);
    request.answer.commit = request.worker.journal.turn();
  }
  const bool wants_retained = wanted.retain_handling == RetainHandling::kSend ||
                              (wanted.retain_handling == RetainHandling::kSendIfNew && is_new);
  if (wants_retained && !subscription->group) begin_replay(request, *subscription, is_new);
  log_subscribed(request, wanted, subscription->qos);
  return {static_cast<ReasonCode>(subscription->qos)};
}

// The Reason String of SUBACK, and the one line of the log, speak of the first filter that was refused.
void note_refusal(FilterWork& work, const SubscriptionRequest& wanted, Answer answer) {
  if (work.refused++ != 0) return;
  work.first_refused = wanted.filter;
  work.first_code = answer.code;
  work.answer.why = answer.why.empty() ? std::string{to_string(answer.code)} : std::move(answer.why);
}

}  // namespace

void answer_when_complete(WorkerState& worker, Connection& connection, PendingSuback answer) {
  const bool is_durable = worker.journal.is_durable(answer.commit);
  if (!is_durable) worker.journal.wait(connection, answer.commit);
  if (answer.awaited != 0 || !is_durable) {
    auto& pending = connection.pending_subacks;
    if (!pending) pending = std::make_unique<std::vector<PendingSuback>>();
    pending->push_back(std::move(answer));
    return;
  }
  const bool is_sent = send_packet(
      worker, connection, connection.wants_problem_information ? answer.why : std::string_view{},
      [&](ByteBuffer& output, ByteView properties) {
        if (answer.is_unsubscribe) {
          mqtt::write_unsuback(output, connection.version, answer.packet_id, answer.codes, properties);
        } else {
          mqtt::write_suback(output, connection.version, answer.packet_id, answer.codes, properties);
        }
      });
  if (is_sent) return;
  worker.to_close.push_back({&connection, ReasonCode::kPacketTooLarge,
                             "the answer exceeds its Maximum Packet Size [MQTT-3.1.2-24]"});
}

void on_group_answer(WorkerState& worker, Connection& connection, std::uint32_t operation) {
  if (connection.filter_work && connection.filter_work->answer.operation == operation) {
    --connection.filter_work->answer.awaited;  // its packet is not through yet
    return;
  }
  if (!connection.pending_subacks) return;
  auto& pending = *connection.pending_subacks;
  const auto at = std::find_if(pending.begin(), pending.end(),
                               [operation](const PendingSuback& p) { return p.operation == operation; });
  if (at == pending.end() || --at->awaited != 0 || !worker.journal.is_durable(at->commit)) return;
  PendingSuback answer = std::move(*at);
  pending.erase(at);
  if (pending.empty()) connection.pending_subacks.reset();
  answer_when_complete(worker, connection, std::move(answer));
}

void answer_committed(WorkerState& worker, Connection& connection) {
  if (!connection.pending_subacks) return;
  auto& pending = *connection.pending_subacks;
  const auto is_waiting = [&worker](const PendingSuback& answer) {
    return answer.awaited != 0 || !worker.journal.is_durable(answer.commit);
  };
  const auto first = std::stable_partition(pending.begin(), pending.end(), is_waiting);
  std::vector<PendingSuback> complete(std::make_move_iterator(first), std::make_move_iterator(pending.end()));
  pending.erase(first, pending.end());
  if (pending.empty()) connection.pending_subacks.reset();
  for (PendingSuback& answer : complete) answer_when_complete(worker, connection, std::move(answer));
}

Outcome subscribe_next(WorkerState& worker, Connection& connection, FilterWork& work) {
  const SubscriptionRequest& wanted = work.requests[work.next];
  Request request{.worker = worker,
                  .connection = connection,
                  .session = *connection.session,
                  .identifier = work.identifier,
                  .answer = work.answer};
  Answer answer = subscribe(request, wanted);
  const ReasonCode code = answer.code;
  // 3.x has no code for a filter that breaks the syntax: the connection ends [MQTT-4.7.1-2],
  // [MQTT-4.7.1-3].
  if (code == ReasonCode::kTopicFilterInvalid && !connection.is_v5()) {
    return mqtt::Violation{code, "invalid Topic Filter in SUBSCRIBE"};
  }
  if (is_error(code)) note_refusal(work, wanted, std::move(answer));
  // 0x80 came with 3.1.1; a 3.1 client would take it for a QoS. To it, what is refused looks granted and is
  // silent.
  const bool has_no_word = is_error(code) && connection.version == mqtt::Version::k31;
  work.answer.codes.push_back(has_no_word ? ReasonCode::kSuccess : code);
  return {};
}

Outcome on_subscribe(WorkerState& worker, Connection& connection, const mqtt::Frame& frame) {
  auto packet = mqtt::read_subscribe(frame, connection.version);
  if (!packet) return packet.error();
  const bool has_identifier =
      connection.is_v5() && packet->properties.has(mqtt::PropertyId::kSubscriptionIdentifier);
  FilterWork work{.requests = std::move(packet->requests),
                  .identifier = has_identifier ? packet->properties.subscription_identifier : 0,
                  .answer = {.operation = ++connection.last_operation, .packet_id = packet->packet_id}};
  mount(connection, work);
  return start_filter_work(worker, connection, std::move(work), frame);
}

}  // namespace nightjar::broker::protocol
