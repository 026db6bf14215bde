#include "broker/same_policy.h"

#include <tuple>

namespace nightjar::broker {
namespace {

auto fields_of(const QueueLimits& policy) {
  const auto& [messages_max, bytes_max, age_max, overflow, queue_qos0_offline, counts_payload_only] = policy;
  return std::tie(messages_max, bytes_max, age_max, overflow, queue_qos0_offline, counts_payload_only);
}

auto fields_of(const ListenerPolicy& policy) {
  const auto& [name, allow_anonymous, mount_point, accepts_v31, accepts_v311, accepts_v5, connections_max,
               client_id_prefix, allow_empty_client_id, auto_id_prefix, client_id_is_user_name,
               refuses_longer_keep_alive, upgrades_qos, payload_bytes_max, connect_timeout, connect_bytes_max,
               packet_bytes_max, packet_bytes_max_out, receive_maximum, topic_alias_maximum,
               topic_alias_maximum_out, inflight_max, inflight_bytes_max, keep_alive_max_s,
               session_expiry_max_s, output_bytes_max, outstanding_bytes_max, maximum_qos, retain_available,
               wildcard_subscription_available, subscription_identifier_available,
               shared_subscription_available, topic_levels_max, subscriptions_max, queue] = policy;
  return std::tie(
      name, allow_anonymous, mount_point, accepts_v31, accepts_v311, accepts_v5, connections_max,
      client_id_prefix, allow_empty_client_id, auto_id_prefix, client_id_is_user_name,
      refuses_longer_keep_alive, upgrades_qos, payload_bytes_max, connect_timeout, connect_bytes_max,
      packet_bytes_max, packet_bytes_max_out, receive_maximum, topic_alias_maximum, topic_alias_maximum_out,
      inflight_max, inflight_bytes_max, keep_alive_max_s, session_expiry_max_s, output_bytes_max,
      outstanding_bytes_max, maximum_qos, retain_available, wildcard_subscription_available,
      subscription_identifier_available, shared_subscription_available, topic_levels_max, subscriptions_max);
}

auto fields_of(const NodePolicy& policy) {
  const auto& [shards, placement, shared_strategy, shared_queue, retained_messages_max, retained_bytes_max,
               connections_max, sessions_max, checks_retained_source, logs_connections, strangers_bytes_max,
               unfinished_bytes_max, sys_interval, refuses_when_full, version] = policy;
  return std::tie(shards, placement, shared_strategy, retained_messages_max, retained_bytes_max,
                  connections_max, sessions_max, checks_retained_source, logs_connections,
                  strangers_bytes_max, unfinished_bytes_max, sys_interval, refuses_when_full, version);
}

}  // namespace

bool is_same(const QueueLimits& a, const QueueLimits& b) { return fields_of(a) == fields_of(b); }

bool is_same(const ListenerPolicy& a, const ListenerPolicy& b) {
  return fields_of(a) == fields_of(b) && is_same(a.queue, b.queue);
}

bool is_same(const NodePolicy& a, const NodePolicy& b) {
  return fields_of(a) == fields_of(b) && is_same(a.shared_queue, b.shared_queue);
}

}  // namespace nightjar::broker
