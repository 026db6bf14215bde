#include "broker/retained/retained_messages.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <set>

#include "base/keyed_hash.h"
#include "base/short_lock.h"
#include "broker/retained/filter_scan.h"
#include "mqtt/topic.h"

namespace nightjar::broker {
namespace {

constexpr std::uint32_t kPartitions = 16;
// Topics looked at per call of sweep().
constexpr std::size_t kVisitsPerSweep = 256;

struct Entry {
  // Replaced in place by messages of the same topic, which leaves the order of the set alone.
  mutable MessageRef message;
};

struct EntryOrder {
  using is_transparent = void;
  static std::string_view topic(const Entry& entry) { return entry.message->topic(); }
  static std::string_view topic(std::string_view topic) { return topic; }
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const {
    return TopicOrder{}(topic(a), topic(b));
  }
};
using Entries = std::set<Entry, EntryOrder>;

bool expires(const Message& message) { return message.expires() != kNever; }
bool is_expired(const Message& message, MonoTime now) { return message.expires() <= now; }

// A part of the topics, chosen by hash; alone on its cache lines.
struct alignas(128) Partition {
  mutable ShortLock lock;
  Entries entries;
};

}  // namespace

struct RetainedMessages::Rooms {
  Rooms(std::uint64_t most_messages, std::uint64_t most_bytes)
      : messages_max(most_messages), bytes_max(most_bytes) {}

  std::atomic<std::uint64_t> messages_max;
  std::atomic<std::uint64_t> bytes_max;
  std::array<Partition, kPartitions> partitions;
  alignas(128) std::atomic<std::uint64_t> version{0};  // the latest one given to a message or a replay
  std::atomic<std::uint64_t> messages{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> expiring{0};  // entries that a sweep may find one day
  ShortLock sweep_lock;
  RetainedCursor sweep_cursor;

  Partition& partition_of(std::string_view topic) {
    return partitions[keyed_hash(topic, 0) % kPartitions];  // the same in every run of a simulation
  }
  std::uint64_t next_version() { return version.fetch_add(1, std::memory_order_acq_rel) + 1; }
  void count_in(const Message& message);
  void count_out(const Message& message);
  [[nodiscard]] bool has_room_for(const Message& message) const;
  void remove(Message& message);
  bool put(MessageRef message);
  // Under sweep_lock. Goes on in the partition that the cursor names, then names the next; returns the
  // visits.
  std::size_t sweep_partition(MonoTime now, std::size_t visits_max);
};

void RetainedMessages::Rooms::count_in(const Message& message) {
  messages.fetch_add(1, std::memory_order_relaxed);
  bytes.fetch_add(message.size(), std::memory_order_relaxed);
  if (expires(message)) expiring.fetch_add(1, std::memory_order_relaxed);
}

void RetainedMessages::Rooms::count_out(const Message& message) {
  messages.fetch_sub(1, std::memory_order_relaxed);
  bytes.fetch_sub(message.size(), std::memory_order_relaxed);
  if (expires(message)) expiring.fetch_sub(1, std::memory_order_relaxed);
}

bool RetainedMessages::Rooms::has_room_for(const Message& message) const {
  return messages.load(std::memory_order_relaxed) < messages_max.load(std::memory_order_relaxed) &&
         bytes.load(std::memory_order_relaxed) + message.size() <= bytes_max.load(std::memory_order_relaxed);
}

void RetainedMessages::Rooms::remove(Message& message) {
  Partition& partition = partition_of(message.topic());
  Entries::node_type removed;  // freed after the lock
  const ShortLockGuard guard(partition.lock);
  message.set_retained_version(next_version());
  const auto entry = partition.entries.find(message.topic());
  if (entry == partition.entries.end()) return;
  count_out(*entry->message);
  removed = partition.entries.extract(entry);
}

bool RetainedMessages::Rooms::put(MessageRef message) {
  Partition& partition = partition_of(message->topic());
  MessageRef replaced;  // freed after the lock
  const ShortLockGuard guard(partition.lock);
  const auto place = partition.entries.lower_bound(message->topic());
  const bool is_new = place == partition.entries.end() || place->message->topic() != message->topic();
  // Two partitions may both see room for one: a limit of millions may be passed by as many as there are
  // workers.
  if (is_new && !has_room_for(*message)) return false;
  // In this order: whoever begins a replay that covers the message finds it counted.
  count_in(*message);
  message->set_retained_version(next_version());
  if (is_new) {
    partition.entries.emplace_hint(place, Entry{std::move(message)});
  } else {
    count_out(*place->message);
    replaced = std::exchange(place->message, std::move(message));
  }
  return true;
}

std::size_t RetainedMessages::Rooms::sweep_partition(MonoTime now, std::size_t visits_max) {
  RetainedCursor& cursor = sweep_cursor;
  Partition& partition = partitions[cursor.partition];
  const ShortLockGuard guard(partition.lock);
  auto entry = cursor.started ? partition.entries.upper_bound(std::string_view{cursor.after})
                              : partition.entries.begin();
  std::size_t visits = 0;
  while (entry != partition.entries.end()) {
    if (++visits == visits_max) cursor = {cursor.partition, std::string(entry->message->topic()), true, 0};
    const auto visited = entry++;
    if (is_expired(*visited->message, now)) {
      count_out(*visited->message);
      partition.entries.erase(visited);
    }
    if (visits == visits_max) return visits;
  }
  cursor = {(cursor.partition + 1) % kPartitions, {}, false, 0};
  return visits;
}

RetainedMessages::RetainedMessages(std::uint64_t messages_max, std::uint64_t bytes_max)
    : rooms_(std::make_unique<Rooms>(messages_max, bytes_max)) {}

void RetainedMessages::set_limits(std::uint64_t messages_max, std::uint64_t bytes_max) {
  rooms_->messages_max.store(messages_max, std::memory_order_relaxed);
  rooms_->bytes_max.store(bytes_max, std::memory_order_relaxed);
}
RetainedMessages::~RetainedMessages() = default;

bool RetainedMessages::store(MessageRef message) {
  if (!message->payload().empty()) return rooms_->put(std::move(message));
  rooms_->remove(*message);
  return true;
}

// A message stamped later than this has synchronized with it and is matched against a tree that holds the
// subscriber's filter; one stamped earlier is in its partition by the time that replay can lock it.
std::uint64_t RetainedMessages::begin_replay() { return rooms_->next_version(); }

namespace {

// One call of read().
struct Reading {
  FilterScan scan;
  std::uint64_t version;
  MonoTime now;
  std::size_t size_max;
  std::vector<MessageRef>& out;
  std::size_t visits_left;

  void take(const MessageRef& message) {
    if (message->retained_version() <= version && !is_expired(*message, now)) out.push_back(message);
  }
  // False when the call ends before the partition does; the cursor then holds the place.
  bool read(const Partition& partition, RetainedCursor& cursor);
};

bool Reading::read(const Partition& partition, RetainedCursor& cursor) {
  const ShortLockGuard guard(partition.lock);
  auto entry = cursor.started ? partition.entries.upper_bound(std::string_view{cursor.after})
                              : partition.entries.lower_bound(scan.first_key());
  while (entry != partition.entries.end()) {
    if (visits_left == 0 || out.size() == size_max) return false;
    --visits_left;
    ++cursor.visits;
    cursor.started = true;
    const std::string_view topic = entry->message->topic();
    const FilterScan::Verdict verdict = scan.look_at(topic);
    if (verdict.matches) take(entry->message);
    if (visits_left == 0 || out.size() == size_max) cursor.after.assign(topic);
    if (verdict.onward == FilterScan::Onward::kEnd) break;
    entry = verdict.onward == FilterScan::Onward::kNext
                ? std::next(entry)
                : partition.entries.lower_bound(std::string_view{scan.seek_key()});
  }
  return true;
}

}  // namespace

bool RetainedMessages::read(std::string_view filter, std::uint64_t version, MonoTime now,
                            std::size_t count_max, RetainedCursor& cursor, std::vector<MessageRef>& out,
                            std::size_t visits_max) {
  if (count() == 0) cursor.partition = kPartitions;
  if (cursor.partition == kPartitions) return false;
  if (!mqtt::has_wildcard(filter)) {
    const MessageRef found = find(filter);
    if (found && found->retained_version() <= version && !is_expired(*found, now)) out.push_back(found);
    cursor.partition = kPartitions;
    return false;
  }
  Reading reading{FilterScan(filter), version, now, out.size() + count_max, out, visits_max};
  for (; cursor.partition < kPartitions; cursor = {cursor.partition + 1, {}, false, cursor.visits}) {
    if (!reading.read(rooms_->partitions[cursor.partition], cursor)) return true;
  }
  return false;
}

MessageRef RetainedMessages::find(std::string_view topic) const {
  const Partition& partition = rooms_->partition_of(topic);
  const ShortLockGuard guard(partition.lock);
  const auto entry = partition.entries.find(topic);
  return entry == partition.entries.end() ? MessageRef{} : entry->message;
}

void RetainedMessages::sweep(MonoTime now) {
  if (rooms_->expiring.load(std::memory_order_relaxed) == 0 || !rooms_->sweep_lock.try_lock()) return;
  std::size_t visits_left = kVisitsPerSweep;
  for (std::uint32_t i = 0; i < kPartitions && visits_left > 0; ++i) {
    visits_left -= rooms_->sweep_partition(now, visits_left);
  }
  rooms_->sweep_lock.unlock();
}

std::uint64_t RetainedMessages::count() const { return rooms_->messages.load(std::memory_order_relaxed); }
std::uint64_t RetainedMessages::bytes() const { return rooms_->bytes.load(std::memory_order_relaxed); }

}  // namespace nightjar::broker
