// Limits and choices of the core, as plain values that the configuration fills in.
// Read-only while workers run; a connection keeps the policy of the listener that accepted it.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "mqtt/types.h"

namespace nightjar::broker {

// What happens to a QoS 1 or 2 message when a session's queue is full.
enum class OverflowPolicy : std::uint8_t {
  kDropNew,     // the new message is dropped
  kDropOld,     // the oldest waiting message is dropped
  kReject,      // the publisher gets 0x97 (5.0); for a 3.x publisher the new message is dropped
  kDisconnect,  // the slow client is disconnected with 0x97
  kConflate,    // a waiting message of the same topic is replaced, else the oldest is dropped
};

// How a shared group picks the member for a message.
enum class SharedStrategy : std::uint8_t {
  kLeastInFlight,
  kRoundRobin,
  kSticky,
  kHashByClient,
  kHashByTopic
};

// The queue of one session (or of one shared group).
struct QueueLimits {
  std::uint32_t messages_max = 10'000;
  std::uint64_t bytes_max = 16 * 1024 * 1024;  // topic, properties and payload
  Duration age_max{0};                         // 0: no limit
  OverflowPolicy overflow = OverflowPolicy::kDropNew;
  bool queue_qos0_offline = false;
  // As Mosquitto counts: payloads only, here and in inflight_bytes_max, and a message is taken while they are
  // below bytes_max.
  bool counts_payload_only = false;

  friend bool operator==(const QueueLimits&, const QueueLimits&) = default;
};

struct ListenerPolicy {
  std::string name = "default";
  bool allow_anonymous = true;
  // In front of every topic and filter of its clients, and taken off what they receive.
  std::string mount_point;
  // Which protocol versions may enter.
  bool accepts_v31 = true;
  bool accepts_v311 = true;
  bool accepts_v5 = true;
  std::uint32_t connections_max = 0;       // open at a time; 0: no limit
  std::string client_id_prefix;            // client ids that do not begin so are refused
  bool allow_empty_client_id = true;       // the broker assigns one
  std::string auto_id_prefix = "auto-";    // what these begin with
  bool client_id_is_user_name = false;     // whatever CONNECT says
  bool refuses_longer_keep_alive = false;  // of 3.x clients, which cannot be told of keep_alive_max_s
  bool upgrades_qos = false;               // deliver with the QoS of the subscription, also if it is higher
  std::uint32_t payload_bytes_max = 0;     // of a PUBLISH; 0: as the packet allows
  Duration connect_timeout = Duration::seconds(5);
  // CONNECT may carry a will and credentials of 64 KiB each but no bulk data.
  std::uint32_t connect_bytes_max = 512 * 1024;
  std::uint32_t packet_bytes_max = 16 * 1024 * 1024;
  std::uint32_t packet_bytes_max_out = 0;      // to clients that announce no maximum of theirs; 0: no limit
  std::uint16_t receive_maximum = 1024;        // QoS 1 and 2 in flight from a client
  std::uint16_t topic_alias_maximum = 64;      // aliases a client may set
  std::uint16_t topic_alias_maximum_out = 64;  // aliases we use towards a client, at most what it allows
  std::uint16_t inflight_max = 1024;  // QoS 1 and 2 in flight to a client, at most its Receive Maximum
  std::uint64_t inflight_bytes_max = 4 * 1024 * 1024;
  std::uint16_t keep_alive_max_s = 0;  // 0: the client's choice stands
  std::uint32_t session_expiry_max_s = 7 * 24 * 3600;
  std::uint64_t output_bytes_max = 4 * 1024 * 1024;  // unsent bytes a connection may hold
  // Of what was sent, bytes that the client's machine has not confirmed; 0: as many as the kernel takes.
  std::uint32_t outstanding_bytes_max = 0;
  mqtt::Qos maximum_qos = mqtt::Qos::kExactlyOnce;
  bool retain_available = true;
  bool wildcard_subscription_available = true;
  bool subscription_identifier_available = true;
  bool shared_subscription_available = true;
  std::uint16_t topic_levels_max = 200;
  std::uint32_t subscriptions_max = 1'000'000;  // per session
  QueueLimits queue;

  friend bool operator==(const ListenerPolicy&, const ListenerPolicy&) = default;
};

// Which workers own the shards.
enum class Placement : std::uint8_t {
  kSpread,   // dealt to all workers in turn, and left there
  kAdaptive  // with the first worker at the start; spread and gathered again as load comes and goes
};

struct NodePolicy {
  std::uint16_t shards = 64;  // a power of two
  Placement placement = Placement::kSpread;
  SharedStrategy shared_strategy = SharedStrategy::kLeastInFlight;
  QueueLimits shared_queue;
  std::uint64_t retained_messages_max = 10'000'000;
  std::uint64_t retained_bytes_max = std::uint64_t{1} << 30;
  std::uint32_t connections_max = 0;  // open at a time, on all listeners together; 0: no limit
  std::uint32_t sessions_max = 0;     // connected or kept; 0: no limit
  // A retained message goes to a new subscription only while its publisher may still publish there.
  bool checks_retained_source = false;
  bool logs_connections = true;  // a line when a client comes and when it goes
  // Bytes that all connections without an accepted CONNECT may hold together.
  std::uint64_t strangers_bytes_max = 64 * 1024 * 1024;
  // Bytes of packets that clients have sent in part, all connections together.
  std::uint64_t unfinished_bytes_max = 512 * 1024 * 1024;
  Duration sys_interval = Duration::seconds(10);  // 0: no $SYS topics
  // Some listener has the overflow policy kReject, so that a publisher's acknowledgement waits for the answer
  // of every receiver's queue.
  bool refuses_when_full = false;
  std::string version = "0.1.0";

  friend bool operator==(const NodePolicy&, const NodePolicy&) = default;
};

}  // namespace nightjar::broker
