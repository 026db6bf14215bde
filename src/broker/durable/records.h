// What the keys and values of the store's tables mean: docs/formats/store.md says it byte by byte. Writing
// never fails; reading answers std::nullopt for bytes that no broker of this format wrote. Pure.
//
//   kSessions  SHARD 'c' CLIENT-ID 0 'h'            SessionRecord
//              SHARD 'c' CLIENT-ID 0 'p'            PacketIdsRecord
//              SHARD 'c' CLIENT-ID 0 's' FILTER     SubscriptionRecord
//              SHARD 'c' CLIENT-ID 0 'w'            Will
//              SHARD 'g' $SHARE/NAME/FILTER 0 'h' VERSION   GroupRecord; the highest version counts
//              SHARD 'g' $SHARE/NAME/FILTER 0 'q'   the QueueId of the group
//   kQueues    SHARD QUEUE ROW                      entries; ROW is the sequence of the first, or an unused
//   one kMeta      'i' SHARD QUEUE ROW ORIGIN           StretchRecord: what a start must know of the rows
//   from ROW on kRetained  TOPIC                                the message
//
// Times are milliseconds of the store's own clock (see StoreClock), so that nothing depends on the date.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "broker/durable/commit.h"
#include "broker/ids.h"
#include "broker/message.h"
#include "broker/session/outbox.h"
#include "broker/session/will.h"
#include "mqtt/types.h"

namespace nightjar::broker {

// The formats of this version: a store with a higher one is refused.
inline constexpr std::uint64_t kStoreFormat = 1;

// Names the messages of one session or group, for good: never given twice.
using QueueId = std::uint64_t;
struct QueueName {
  ShardId shard;
  QueueId id = 0;
};

// The present process's clock against the store's: that one stands still while no broker runs on a machine
// that was booted anew, so that an unset date or a long outage expires nothing.
struct StoreClock {
  std::int64_t offset_ms = 0;  // store's minus ours
  [[nodiscard]] std::uint64_t store(MonoTime at) const {
    return at == kNever ? 0 : static_cast<std::uint64_t>(at.ms + offset_ms) + 1;
  }
  [[nodiscard]] MonoTime ours(std::uint64_t stored) const {
    return stored == 0 ? kNever : MonoTime{static_cast<std::int64_t>(stored - 1) - offset_ms};
  }
};

// ---- keys ----

std::string session_key(ShardId shard, std::string_view client_id, char kind, std::string_view detail = {});
std::string group_queue_key(ShardId shard, std::string_view text);
// Commits may become durable in another order than that of the versions in them, so each version has a row.
std::string group_record_key(ShardId shard, std::string_view text, std::uint64_t version);
std::string group_begin_key(ShardId shard, std::string_view text);
std::string group_end_key(ShardId shard, std::string_view text);
// All keys of a session lie from session_key(…, 0) up to this one.
std::string session_end_key(ShardId shard, std::string_view client_id);
std::string queue_key(const QueueName& queue, std::uint64_t row);
// Behind the last key of the queue.
std::string queue_end_key(const QueueName& queue);

struct SessionKey {
  ShardId shard;
  bool is_group = false;
  std::string_view name;  // client id, or the text of the group
  char kind = 0;
  std::string_view detail;
};
std::optional<SessionKey> read_session_key(std::string_view key);
struct QueueKey {
  QueueName queue;
  std::uint64_t row = 0;
};
std::optional<QueueKey> read_queue_key(std::string_view key);

// ---- values ----

struct SessionRecord {
  QueueId queue = 0;
  std::uint32_t expiry_s = 0;
  std::string user_name;
  std::string listener;        // whose policy it has
  MonoTime left = kNever;      // when the connection ended; kNever while there is one
  MonoTime will_due = kNever;  // of a will that waits for its delay
};
std::string write_session(const SessionRecord& record, const StoreClock& clock);
std::optional<SessionRecord> read_session(std::string_view value, const StoreClock& clock);

struct SubscriptionRecord {
  std::uint32_t identifier = 0;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool no_local = false;
  bool retain_as_published = false;
};
std::string write_subscription(const SubscriptionRecord& record);
std::optional<SubscriptionRecord> read_subscription(std::string_view value);

std::string write_will(const Will& will);
std::optional<Will> read_will(std::string_view value);

// Which of a queue's entries still count, and the packet ids of both directions.
struct PacketIdsRecord {
  struct Sent {
    std::uint64_t sequence = 0;
    mqtt::PacketId id{};
    bool is_released = false;  // PUBREL was or is to be sent; the message is with the client
  };
  std::uint64_t waiting_from = 0;       // entries from here on wait, but for those in `gone` and `sent`
  std::uint16_t last_id = 0;            // given to a message that was sent
  std::vector<std::uint64_t> gone;      // in order, not below waiting_from
  std::vector<Sent> sent;               // in order of sending
  std::vector<std::uint16_t> incoming;  // QoS 2 ids received and not released, in order
};
void write_packet_ids(const PacketIdsRecord& record, std::string& out);
std::optional<PacketIdsRecord> read_packet_ids(std::string_view value);

struct GroupRecord {
  std::uint64_t version = 0;
  std::uint64_t next_sequence = 1;  // entries from here on wait
  std::vector<std::uint64_t> live;  // below it: those that wait or are with a member, in order
};
std::string write_group_queue(QueueId queue);
std::optional<QueueId> read_group_queue(std::string_view value);
std::string write_group(const GroupRecord& record);
std::optional<GroupRecord> read_group(std::string_view value);

// A message that waits in a queue or is in flight.
struct QueueEntry {
  std::uint64_t sequence = 0;
  MessageRef message;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool retain = false;
  mqtt::PacketId id{};  // that it was sent with; 0: not sent
  MonoTime enqueued{};
  SubscriptionIds subscription_ids;
};
// One value for entries of one queue, in the order of their sequences. `made_by`: whose change this is, and
// the run of the broker, for those who apply changes of others.
class QueueValueWriter {
 public:
  QueueValueWriter(std::string& out, CommitPoint made_by, std::uint64_t incarnation, const StoreClock& clock);
  void add(const QueueEntry& entry);

 private:
  std::string& out_;
  const StoreClock& clock_;
  std::uint64_t last_sequence_ = 0;
};
// As it waits for a session again.
Delivery delivery_of(QueueEntry entry);
std::optional<std::vector<QueueEntry>> read_queue_value(std::string_view value, const StoreClock& clock);

// What the commits of one origin brought of consecutive rows (queue_rows.h).
struct StretchRecord {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;          // topics, properties and payloads
  std::uint64_t last_sequence = 0;  // the highest
  bool has_ids = false;             // some were sent at once
  StretchRecord& operator+=(const StretchRecord& other);
};
inline constexpr char kStretchKind = 'i';
struct StretchKey {
  QueueName queue;
  std::uint64_t first;
  WorkerIndex origin;
};
std::string stretch_key(const QueueName& queue, std::uint64_t first, WorkerIndex origin);
std::optional<StretchKey> read_stretch_key(std::string_view key);
std::string write_stretch(const StretchRecord& record);
std::optional<StretchRecord> read_stretch(std::string_view value);
StretchRecord stretch_of(const std::vector<QueueEntry>& entries);
// The stretches that begin from `first` on and before `end`.
void erase_stretches(Changes& changes, const QueueName& queue, std::uint64_t first, std::uint64_t end);
// The rows of a queue and what is said of them.
void erase_queue(Changes& changes, const QueueName& queue);

void write_retained(const Message& message, const StoreClock& clock, std::string& out);
MessageRef read_retained(std::string_view topic, std::string_view value, const StoreClock& clock);

}  // namespace nightjar::broker
