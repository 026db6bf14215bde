// Every record: written and read it is the same; cut short or changed anywhere it is refused or another
// record, and the reader never leaves its bytes, which a sanitizer sees.
#include "broker/durable/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace nightjar::broker {
namespace {

constexpr StoreClock kClock{.offset_ms = 1000};

using Reading = std::function<bool(std::string_view value)>;  // true if it is a record

// In memory of exactly its size.
bool is_read(std::string_view value, const Reading& reading) {
  const std::vector<char> exact(value.begin(), value.end());
  return reading({exact.data(), exact.size()});
}

void read_broken(std::string_view value, const Reading& reading) {
  for (std::size_t size = 0; size < value.size(); ++size) (void)is_read(value.substr(0, size), reading);
  const std::size_t at = *rc::gen::inRange<std::size_t>(0, value.size());
  std::string changed{value};
  for (int bit = 0; bit < 8; ++bit) {
    changed[at] = static_cast<char>(value[at] ^ (1 << bit));
    (void)is_read(changed, reading);
  }
  RC_ASSERT(!is_read(std::string(value) + '\0', reading));
}

std::uint64_t any_number() { return *rc::gen::arbitrary<std::uint64_t>() >> *rc::gen::inRange(0, 64); }
std::uint32_t any_u32() { return static_cast<std::uint32_t>(any_number()); }
std::string any_text() { return *rc::gen::arbitrary<std::string>(); }
mqtt::Qos any_qos() { return static_cast<mqtt::Qos>(*rc::gen::inRange(0, 3)); }
MonoTime any_time() {
  return *rc::gen::arbitrary<bool>() ? kNever
                                     : MonoTime{*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 50)};
}
std::vector<std::uint64_t> any_growing() {
  const auto drawn = *rc::gen::container<std::set<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(1, 60));
  return {drawn.begin(), drawn.end()};
}

// A client id or the text of a group has no zero byte.
std::string any_name() { return *rc::gen::container<std::string>(rc::gen::inRange<char>('\x01', '\x7f')); }

RC_GTEST_PROP(Records, ASessionStaysTheSame, ()) {
  const SessionRecord record{any_number(), any_u32(), any_text(), any_text(), any_time(), any_time()};
  const std::string value = write_session(record, kClock);
  const auto read = read_session(value, kClock);
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->queue == record.queue && read->expiry_s == record.expiry_s &&
            read->user_name == record.user_name);
  RC_ASSERT(read->listener == record.listener && read->left == record.left &&
            read->will_due == record.will_due);
  read_broken(value, [](std::string_view bytes) { return read_session(bytes, kClock).has_value(); });
}

RC_GTEST_PROP(Records, ASubscriptionStaysTheSame, ()) {
  const SubscriptionRecord record{any_u32(), any_qos(), *rc::gen::arbitrary<bool>(),
                                  *rc::gen::arbitrary<bool>()};
  const std::string value = write_subscription(record);
  const auto read = read_subscription(value);
  RC_ASSERT(read && read->identifier == record.identifier && read->qos == record.qos);
  RC_ASSERT(read->no_local == record.no_local && read->retain_as_published == record.retain_as_published);
  read_broken(value, [](std::string_view bytes) { return read_subscription(bytes).has_value(); });
}

RC_GTEST_PROP(Records, AWillStaysTheSame, ()) {
  const Will will{
      any_text(), any_text(), any_text(), any_qos(), *rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<bool>(),
      any_u32(),  any_u32()};
  const std::string value = write_will(will);
  const auto read = read_will(value);
  RC_ASSERT(read && read->topic == will.topic && read->payload == will.payload &&
            read->properties == will.properties);
  RC_ASSERT(read->qos == will.qos && read->retain == will.retain && read->has_expiry == will.has_expiry);
  RC_ASSERT(read->expiry_s == will.expiry_s && read->delay_s == will.delay_s);
  read_broken(value, [](std::string_view bytes) { return read_will(bytes).has_value(); });
}

RC_GTEST_PROP(Records, PacketIdsStayTheSame, ()) {
  PacketIdsRecord record;
  record.waiting_from = any_number();
  record.last_id = static_cast<std::uint16_t>(any_number());
  record.gone = any_growing();
  const auto sent = *rc::gen::container<std::vector<std::uint16_t>>(rc::gen::inRange<std::uint16_t>(1, 30));
  std::uint64_t sequence = *rc::gen::inRange<std::uint64_t>(1, 9);
  for (const std::uint16_t id : sent) {
    record.sent.push_back({sequence, {id}, *rc::gen::arbitrary<bool>()});
    sequence += *rc::gen::inRange<std::uint64_t>(1, 3);
  }
  for (const std::uint64_t id : any_growing()) record.incoming.push_back(static_cast<std::uint16_t>(id));
  std::string value;
  write_packet_ids(record, value);
  const auto read = read_packet_ids(value);
  RC_ASSERT(read && read->waiting_from == record.waiting_from && read->last_id == record.last_id);
  RC_ASSERT(read->gone == record.gone && read->incoming == record.incoming);
  RC_ASSERT(read->sent.size() == record.sent.size());
  for (std::size_t i = 0; i < record.sent.size(); ++i) {
    RC_ASSERT(read->sent[i].sequence == record.sent[i].sequence &&
              read->sent[i].id.value == record.sent[i].id.value);
    RC_ASSERT(read->sent[i].is_released == record.sent[i].is_released);
  }
  read_broken(value, [](std::string_view bytes) { return read_packet_ids(bytes).has_value(); });
}

RC_GTEST_PROP(Records, AGroupStaysTheSame, ()) {
  const GroupRecord record{any_number(), any_number(), any_growing()};
  const std::string value = write_group(record);
  const auto read = read_group(value);
  RC_ASSERT(read && read->version == record.version && read->next_sequence == record.next_sequence);
  RC_ASSERT(read->live == record.live);
  read_broken(value, [](std::string_view bytes) { return read_group(bytes).has_value(); });
  const QueueId queue = any_number();
  RC_ASSERT(read_group_queue(write_group_queue(queue)) == queue);
  read_broken(write_group_queue(queue),
              [](std::string_view bytes) { return read_group_queue(bytes).has_value(); });
}

MessageRef any_message(std::string_view topic, std::string_view source = {}) {
  const std::string properties = any_text();
  const std::string payload = any_text();
  Message::Parts parts;
  parts.topic = topic;
  parts.properties = as_bytes(properties);
  parts.payload = as_bytes(payload);
  parts.qos = any_qos();
  parts.retain = *rc::gen::arbitrary<bool>();
  parts.expires = any_time();
  parts.origin = any_number();
  parts.source = source;
  return Message::make(parts);
}

bool are_same(const Message& a, const Message& b) {
  return a.topic() == b.topic() && as_text(a.payload()) == as_text(b.payload()) &&
         as_text(a.properties()) == as_text(b.properties()) && a.qos() == b.qos() &&
         a.retain() == b.retain() && a.expires() == b.expires() && a.origin() == b.origin() &&
         a.source() == b.source();
}

RC_GTEST_PROP(Records, ARetainedMessageStaysTheSame, ()) {
  const MessageRef message = any_message(any_name(), any_text());
  std::string value;
  write_retained(*message, kClock, value);
  const MessageRef read = read_retained(message->topic(), value, kClock);
  RC_ASSERT(static_cast<bool>(read));
  RC_ASSERT(are_same(*read, *message));
  read_broken(value,
              [](std::string_view bytes) { return static_cast<bool>(read_retained("t", bytes, kClock)); });
}

RC_GTEST_PROP(Records, EntriesOfAQueueStayTheSame, ()) {
  std::vector<QueueEntry> entries(*rc::gen::inRange<std::size_t>(1, 4));
  std::uint64_t sequence = 0;
  for (QueueEntry& entry : entries) {
    entry.sequence = sequence += *rc::gen::inRange<std::uint64_t>(1, 1000);
    entry.message = any_message(any_name());
    entry.qos = any_qos();
    entry.retain = *rc::gen::arbitrary<bool>();
    entry.id = {static_cast<std::uint16_t>(any_number())};
    entry.enqueued = any_time();
    for (int left = *rc::gen::inRange(0, 3); left != 0; --left)
      entry.subscription_ids.push_back(any_u32() | 1U);
  }
  std::string value;
  QueueValueWriter writer(value, {WorkerIndex{3}, any_number()}, any_number(), kClock);
  for (const QueueEntry& entry : entries) writer.add(entry);
  const auto read = read_queue_value(value, kClock);
  RC_ASSERT(read && read->size() == entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const QueueEntry& got = (*read)[i];
    RC_ASSERT(got.sequence == entries[i].sequence && got.qos == entries[i].qos &&
              got.retain == entries[i].retain);
    RC_ASSERT(got.id.value == entries[i].id.value && got.enqueued == entries[i].enqueued);
    RC_ASSERT(are_same(*got.message, *entries[i].message));
    RC_ASSERT(std::equal(got.subscription_ids.begin(), got.subscription_ids.end(),
                         entries[i].subscription_ids.begin(), entries[i].subscription_ids.end()));
  }
  read_broken(value, [](std::string_view bytes) { return read_queue_value(bytes, kClock).has_value(); });
}

RC_GTEST_PROP(Records, KeysStayTheSameAndSortByTheirNumbers, ()) {
  const ShardId shard{static_cast<std::uint16_t>(any_number())};
  const std::string name = any_name();
  const std::string filter = any_text();
  const std::string key = session_key(shard, name, 's', filter);
  const auto read = read_session_key(key);
  RC_ASSERT(read && read->shard == shard && read->name == name && read->kind == 's' &&
            read->detail == filter);
  RC_ASSERT(!read->is_group);
  RC_ASSERT(session_key(shard, name, 0) < key && key < session_end_key(shard, name));
  RC_ASSERT(read_session_key(group_queue_key(shard, name))->is_group);

  const QueueName queue{shard, any_number() >> 1};
  const std::uint64_t row = any_number() >> 1;
  const std::string at = queue_key(queue, row);
  const auto read_queue = read_queue_key(at);
  RC_ASSERT(read_queue && read_queue->queue.shard == shard && read_queue->queue.id == queue.id &&
            read_queue->row == row);
  RC_ASSERT(at < queue_key(queue, row + 1) && at < queue_end_key(queue));
  RC_ASSERT(!read_queue_key(at.substr(1)) && !read_queue_key(at + '\0'));
}

RC_GTEST_PROP(Records, NoiseIsReadWithoutHarm, ()) {
  std::string noise = any_text();
  if (*rc::gen::arbitrary<bool>()) noise.insert(noise.begin(), '\x01');
  const Reading readers[] = {
      [](std::string_view v) { return read_session(v, kClock).has_value(); },
      [](std::string_view v) { return read_subscription(v).has_value(); },
      [](std::string_view v) { return read_will(v).has_value(); },
      [](std::string_view v) { return read_packet_ids(v).has_value(); },
      [](std::string_view v) { return read_group(v).has_value(); },
      [](std::string_view v) { return read_group_queue(v).has_value(); },
      [](std::string_view v) { return read_queue_value(v, kClock).has_value(); },
      [](std::string_view v) { return static_cast<bool>(read_retained("t", v, kClock)); },
      [](std::string_view v) { return read_session_key(v).has_value(); },
      [](std::string_view v) { return read_queue_key(v).has_value(); }};
  for (const Reading& reading : readers) (void)is_read(noise, reading);
}

}  // namespace
}  // namespace nightjar::broker
