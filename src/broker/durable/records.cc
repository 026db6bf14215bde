#include "broker/durable/records.h"

#include <algorithm>

#include "broker/durable/encoding.h"

namespace nightjar::broker {
namespace {

using mqtt::Qos;

// In front of every value, so that a single one may be of another form one day.
constexpr std::uint8_t kForm = 1;
constexpr std::uint8_t kFormWithSource = 2;  // of a retained message: who published it is behind it

constexpr char kSessionKind = 'c';
constexpr char kGroupKind = 'g';

std::string name_key(ShardId shard, char kind, std::string_view name, char end) {
  std::string key;
  key.reserve(name.size() + 8);
  RecordWriter writer(key);
  writer.ordered(shard.value, 2);
  writer.u8(static_cast<std::uint8_t>(kind));
  key.append(name);
  key.push_back(end);
  return key;
}

// Reads one value: `body` fills the record, and every byte must have been used.
template <typename T, typename Body>
std::optional<T> read_value(std::string_view value, Body body) {
  RecordReader reader(value);
  if (reader.u8() != kForm) return std::nullopt;
  std::optional<T> record(std::in_place);
  body(reader, *record);
  if (!reader.is_good() || !reader.at_end()) return std::nullopt;
  return record;
}

Qos read_qos(RecordReader& reader, std::uint8_t bits) {
  return bits <= 2 ? static_cast<Qos>(bits) : static_cast<Qos>(reader.bad());
}

std::uint8_t bits_of(Qos qos) { return static_cast<std::uint8_t>(qos); }

void write_message(RecordWriter& writer, const Message& message, const StoreClock& clock) {
  writer.u8(static_cast<std::uint8_t>(bits_of(message.qos()) | (message.retain() ? 4 : 0)));
  writer.number(clock.store(message.expires()));
  writer.ordered(message.origin(), 8);
  writer.text(as_text(message.properties()));
  writer.text(as_text(message.payload()));
}

Message::Parts read_parts(RecordReader& reader, std::string_view topic, const StoreClock& clock) {
  Message::Parts parts;
  parts.topic = topic;
  const std::uint8_t bits = reader.u8();
  parts.qos = read_qos(reader, bits & 3);
  parts.retain = (bits & 4) != 0;
  parts.expires = clock.ours(reader.number());
  parts.origin = reader.ordered(8);
  parts.properties = as_bytes(reader.text());
  parts.payload = as_bytes(reader.text());
  return parts;
}

MessageRef read_message(RecordReader& reader, std::string_view topic, const StoreClock& clock) {
  const Message::Parts parts = read_parts(reader, topic, clock);
  return reader.is_good() ? Message::make(parts) : MessageRef{};
}

// Growing numbers, which mostly follow each other: as runs.
void write_growing(RecordWriter& writer, const std::vector<std::uint64_t>& numbers) {
  std::uint64_t end = 0;  // of the last run
  for (std::size_t first = 0; first < numbers.size();) {
    std::size_t count = 1;
    while (first + count < numbers.size() && numbers[first + count] == numbers[first] + count) ++count;
    writer.number(count);
    writer.number(numbers[first] - end);
    end = numbers[first] + count;
    first += count;
  }
  writer.number(0);
}

// Queues have limits of their own; this one keeps a damaged record from asking for all memory.
constexpr std::size_t kGrowingMax = 100'000'000;

std::vector<std::uint64_t> read_growing(RecordReader& reader) {
  std::vector<std::uint64_t> numbers;
  std::uint64_t next = 0;
  while (const std::uint64_t count = reader.number()) {
    next += reader.number();
    if (count > kGrowingMax - numbers.size()) {
      reader.bad();
      return {};
    }
    // Growing step by step could take twice the memory for a long run.
    if (count > numbers.size()) numbers.reserve(numbers.size() + count);
    for (std::uint64_t i = 0; i < count; ++i) numbers.push_back(next++);
  }
  return numbers;
}

// How many elements of at least one byte the reader may still hold.
std::size_t count_of(RecordReader& reader) {
  const std::uint64_t count = reader.number();
  return count <= reader.rest().size() ? count : reader.bad();
}

}  // namespace

std::string session_key(ShardId shard, std::string_view client_id, char kind, std::string_view detail) {
  std::string key = name_key(shard, kSessionKind, client_id, '\0');
  if (kind != 0) key.push_back(kind);
  key.append(detail);
  return key;
}

std::string group_queue_key(ShardId shard, std::string_view text) {
  return group_begin_key(shard, text) + 'q';
}

std::string group_record_key(ShardId shard, std::string_view text, std::uint64_t version) {
  std::string key = group_begin_key(shard, text) + 'h';
  RecordWriter(key).ordered(version, 8);
  return key;
}

std::string group_begin_key(ShardId shard, std::string_view text) {
  return name_key(shard, kGroupKind, text, '\0');
}

std::string group_end_key(ShardId shard, std::string_view text) {
  return name_key(shard, kGroupKind, text, '\1');
}

std::string session_end_key(ShardId shard, std::string_view client_id) {
  return name_key(shard, kSessionKind, client_id, '\1');
}

std::string queue_key(const QueueName& queue, std::uint64_t row) {
  std::string key;
  RecordWriter writer(key);
  writer.ordered(queue.shard.value, 2);
  writer.ordered(queue.id, 8);
  writer.ordered(row, 8);
  return key;
}

std::string queue_end_key(const QueueName& queue) { return queue_key({queue.shard, queue.id + 1}, 0); }

std::optional<SessionKey> read_session_key(std::string_view key) {
  RecordReader reader(key);
  SessionKey read;
  read.shard = {static_cast<std::uint16_t>(reader.ordered(2))};
  const char type = static_cast<char>(reader.u8());
  read.is_group = type == kGroupKind;
  read.name = reader.until_zero();
  read.kind = static_cast<char>(reader.u8());
  read.detail = reader.rest();
  if (!reader.is_good() || (type != kSessionKind && type != kGroupKind)) return std::nullopt;
  return read;
}

std::optional<QueueKey> read_queue_key(std::string_view key) {
  RecordReader reader(key);
  QueueKey read;
  read.queue.shard = {static_cast<std::uint16_t>(reader.ordered(2))};
  read.queue.id = reader.ordered(8);
  read.row = reader.ordered(8);
  if (!reader.is_good() || !reader.at_end()) return std::nullopt;
  return read;
}

std::string write_session(const SessionRecord& record, const StoreClock& clock) {
  std::string value;
  RecordWriter writer(value);
  writer.u8(kForm);
  writer.number(record.queue);
  writer.number(record.expiry_s);
  writer.text(record.user_name);
  writer.text(record.listener);
  writer.number(clock.store(record.left));
  writer.number(clock.store(record.will_due));
  return value;
}

std::optional<SessionRecord> read_session(std::string_view value, const StoreClock& clock) {
  return read_value<SessionRecord>(value, [&clock](RecordReader& reader, SessionRecord& record) {
    record.queue = reader.number();
    record.expiry_s = reader.number_as<std::uint32_t>();
    record.user_name = reader.text();
    record.listener = reader.text();
    record.left = clock.ours(reader.number());
    record.will_due = clock.ours(reader.number());
  });
}

std::string write_subscription(const SubscriptionRecord& record) {
  std::string value;
  RecordWriter writer(value);
  writer.u8(kForm);
  writer.u8(static_cast<std::uint8_t>(bits_of(record.qos) | (record.no_local ? 4 : 0) |
                                      (record.retain_as_published ? 8 : 0)));
  writer.number(record.identifier);
  return value;
}

std::optional<SubscriptionRecord> read_subscription(std::string_view value) {
  return read_value<SubscriptionRecord>(value, [](RecordReader& reader, SubscriptionRecord& record) {
    const std::uint8_t bits = reader.u8();
    record.qos = read_qos(reader, bits & 3);
    record.no_local = (bits & 4) != 0;
    record.retain_as_published = (bits & 8) != 0;
    record.identifier = reader.number_as<std::uint32_t>();
  });
}

std::string write_will(const Will& will) {
  std::string value;
  RecordWriter writer(value);
  writer.u8(kForm);
  writer.u8(static_cast<std::uint8_t>(bits_of(will.qos) | (will.retain ? 4 : 0) | (will.has_expiry ? 8 : 0)));
  writer.number(will.expiry_s);
  writer.number(will.delay_s);
  writer.text(will.topic);
  writer.text(will.properties);
  writer.text(will.payload);
  return value;
}

std::optional<Will> read_will(std::string_view value) {
  return read_value<Will>(value, [](RecordReader& reader, Will& will) {
    const std::uint8_t bits = reader.u8();
    will.qos = read_qos(reader, bits & 3);
    will.retain = (bits & 4) != 0;
    will.has_expiry = (bits & 8) != 0;
    will.expiry_s = reader.number_as<std::uint32_t>();
    will.delay_s = reader.number_as<std::uint32_t>();
    will.topic = reader.text();
    will.properties = reader.text();
    will.payload = reader.text();
  });
}

// Ids follow each other nearly always, so they are written as runs.
void write_packet_ids(const PacketIdsRecord& record, std::string& out) {
  out.clear();
  RecordWriter writer(out);
  writer.u8(kForm);
  writer.number(record.waiting_from);
  writer.number(record.last_id);
  write_growing(writer, record.gone);
  for (std::size_t first = 0; first < record.sent.size();) {
    const PacketIdsRecord::Sent& start = record.sent[first];
    std::size_t count = 1;
    while (first + count < record.sent.size()) {
      const PacketIdsRecord::Sent& next = record.sent[first + count];
      const bool follows = next.sequence == start.sequence + count &&
                           next.id.value == start.id.value + count && next.is_released == start.is_released;
      if (!follows) break;
      ++count;
    }
    writer.number(count);
    writer.number(start.sequence);
    writer.number(start.id.value);
    writer.u8(start.is_released ? 1 : 0);
    first += count;
  }
  writer.number(0);
  for (std::size_t first = 0; first < record.incoming.size();) {
    std::size_t count = 1;
    while (first + count < record.incoming.size() &&
           record.incoming[first + count] == record.incoming[first] + count) {
      ++count;
    }
    writer.number(count);
    writer.number(record.incoming[first]);
    first += count;
  }
  writer.number(0);
}

std::optional<PacketIdsRecord> read_packet_ids(std::string_view value) {
  constexpr std::uint64_t kIds = 0x1'0000;
  return read_value<PacketIdsRecord>(value, [](RecordReader& reader, PacketIdsRecord& record) {
    record.waiting_from = reader.number();
    record.last_id = reader.number_as<std::uint16_t>();
    record.gone = read_growing(reader);
    while (const std::uint64_t count = reader.number()) {
      const std::uint64_t sequence = reader.number();
      const std::uint64_t id = reader.number();
      const bool is_released = reader.u8() != 0;
      if (id == 0 || count > kIds || id + count > kIds || record.sent.size() + count > kIds)
        return (void)reader.bad();
      for (std::uint64_t i = 0; i < count; ++i) {
        record.sent.push_back({sequence + i, {static_cast<std::uint16_t>(id + i)}, is_released});
      }
    }
    while (const std::uint64_t count = reader.number()) {
      const std::uint64_t id = reader.number();
      if (id == 0 || count > kIds || id + count > kIds || record.incoming.size() + count > kIds)
        return (void)reader.bad();
      for (std::uint64_t i = 0; i < count; ++i) record.incoming.push_back(static_cast<std::uint16_t>(id + i));
    }
  });
}

std::string write_group_queue(QueueId queue) {
  std::string value;
  RecordWriter writer(value);
  writer.u8(kForm);
  writer.number(queue);
  return value;
}

std::optional<QueueId> read_group_queue(std::string_view value) {
  return read_value<QueueId>(value, [](RecordReader& reader, QueueId& queue) { queue = reader.number(); });
}

std::string write_group(const GroupRecord& record) {
  std::string value;
  RecordWriter writer(value);
  writer.u8(kForm);
  writer.number(record.version);
  writer.number(record.next_sequence);
  write_growing(writer, record.live);
  return value;
}

std::optional<GroupRecord> read_group(std::string_view value) {
  return read_value<GroupRecord>(value, [](RecordReader& reader, GroupRecord& record) {
    record.version = reader.number();
    record.next_sequence = reader.number();
    record.live = read_growing(reader);
  });
}

QueueValueWriter::QueueValueWriter(std::string& out, CommitPoint made_by, std::uint64_t incarnation,
                                   const StoreClock& clock)
    : out_(out), clock_(clock) {
  out_.clear();
  RecordWriter writer(out_);
  writer.u8(kForm);
  writer.number(made_by.origin.value);
  writer.number(incarnation);
  writer.number(made_by.number);
}

void QueueValueWriter::add(const QueueEntry& entry) {
  RecordWriter writer(out_);
  writer.number(entry.sequence - last_sequence_);
  last_sequence_ = entry.sequence;
  writer.u8(static_cast<std::uint8_t>(bits_of(entry.qos) | (entry.retain ? 4 : 0)));
  writer.number(entry.id.value);
  writer.number(clock_.store(entry.enqueued));
  writer.number(static_cast<std::uint64_t>(entry.subscription_ids.end() - entry.subscription_ids.begin()));
  for (const std::uint32_t id : entry.subscription_ids) writer.number(id);
  writer.text(entry.message->topic());
  write_message(writer, *entry.message, clock_);
}

Delivery delivery_of(QueueEntry entry) {
  return {.message = std::move(entry.message),
          .qos = entry.qos,
          .retain = entry.retain,
          .is_kept = true,
          .enqueued = entry.enqueued,
          .subscription_ids = std::move(entry.subscription_ids),
          .sequence = entry.sequence};
}

std::optional<std::vector<QueueEntry>> read_queue_value(std::string_view value, const StoreClock& clock) {
  return read_value<std::vector<QueueEntry>>(
      value, [&clock](RecordReader& reader, std::vector<QueueEntry>& all) {
        reader.number();  // origin, incarnation, number: for who applies the changes of others
        reader.number();
        reader.number();
        std::uint64_t sequence = 0;
        while (reader.is_good() && !reader.at_end()) {
          QueueEntry& entry = all.emplace_back();
          entry.sequence = sequence += reader.number();
          const std::uint8_t bits = reader.u8();
          entry.qos = read_qos(reader, bits & 3);
          entry.retain = (bits & 4) != 0;
          entry.id = {reader.number_as<std::uint16_t>()};
          entry.enqueued = clock.ours(reader.number());
          for (std::size_t left = count_of(reader); left != 0; --left) {
            const auto id = reader.number_as<std::uint32_t>();
            if (id == 0) return (void)reader.bad();
            entry.subscription_ids.push_back(id);
          }
          const std::string_view topic = reader.text();
          if (topic.size() > 0xFFFF) return (void)reader.bad();
          entry.message = read_message(reader, topic, clock);
        }
      });
}

constexpr std::size_t kOriginBytes = sizeof(WorkerIndex::value);

StretchRecord& StretchRecord::operator+=(const StretchRecord& other) {
  count += other.count;
  bytes += other.bytes;
  last_sequence = std::max(last_sequence, other.last_sequence);
  has_ids |= other.has_ids;
  return *this;
}

std::string stretch_key(const QueueName& queue, std::uint64_t first, WorkerIndex origin) {
  std::string key = kStretchKind + queue_key(queue, first);
  RecordWriter(key).ordered(origin.value, kOriginBytes);
  return key;
}

std::optional<StretchKey> read_stretch_key(std::string_view key) {
  if (key.size() <= kOriginBytes || key.front() != kStretchKind) return std::nullopt;
  const auto first = read_queue_key(key.substr(1, key.size() - 1 - kOriginBytes));
  if (!first) return std::nullopt;
  RecordReader origin(key.substr(key.size() - kOriginBytes));
  return StretchKey{first->queue, first->row, {static_cast<std::uint16_t>(origin.ordered(kOriginBytes))}};
}

std::string write_stretch(const StretchRecord& record) {
  std::string value;
  RecordWriter writer(value);
  writer.u8(kForm);
  writer.number(record.count);
  writer.number(record.bytes);
  writer.number(record.last_sequence);
  writer.u8(record.has_ids ? 1 : 0);
  return value;
}

std::optional<StretchRecord> read_stretch(std::string_view value) {
  return read_value<StretchRecord>(value, [](RecordReader& reader, StretchRecord& record) {
    record.count = reader.number();
    record.bytes = reader.number();
    record.last_sequence = reader.number();
    record.has_ids = reader.u8() != 0;
  });
}

StretchRecord stretch_of(const std::vector<QueueEntry>& entries) {
  StretchRecord record;
  for (const QueueEntry& entry : entries) {
    record += {.count = 1,
               .bytes = entry.message->size(),
               .last_sequence = entry.sequence,
               .has_ids = entry.id.value != 0};
  }
  return record;
}

void erase_stretches(Changes& changes, const QueueName& queue, std::uint64_t first, std::uint64_t end) {
  changes.erase_range(Table::kMeta, kStretchKind + queue_key(queue, first),
                      kStretchKind + queue_key(queue, end));
}

void erase_queue(Changes& changes, const QueueName& queue) {
  changes.erase_range(Table::kQueues, queue_key(queue, 0), queue_end_key(queue));
  changes.erase_range(Table::kMeta, kStretchKind + queue_key(queue, 0), kStretchKind + queue_end_key(queue));
}

void write_retained(const Message& message, const StoreClock& clock, std::string& out) {
  out.clear();
  RecordWriter writer(out);
  const bool has_source = !message.source().empty();
  writer.u8(has_source ? kFormWithSource : kForm);
  write_message(writer, message, clock);
  if (has_source) writer.text(message.source());
}

MessageRef read_retained(std::string_view topic, std::string_view value, const StoreClock& clock) {
  RecordReader reader(value);
  const std::uint8_t form = reader.u8();
  if ((form != kForm && form != kFormWithSource) || topic.size() > 0xFFFF) return {};
  Message::Parts parts = read_parts(reader, topic, clock);
  if (form == kFormWithSource) {
    parts.source = reader.text();
    if (parts.source.empty()) return {};
  }
  return reader.is_good() && reader.at_end() ? Message::make(parts) : MessageRef{};
}

}  // namespace nightjar::broker
