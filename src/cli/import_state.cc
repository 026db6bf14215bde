#include "cli/import_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/durable/records.h"
#include "broker/durable/run.h"
#include "broker/message_source.h"
#include "broker/protocol/forwarded_properties.h"
#include "broker/session/session.h"
#include "broker/shard_of.h"
#include "cli/data_dir.h"
#include "mqtt/properties.h"
#include "mqtt/topic.h"
#include "store/rocks_store.h"

namespace nightjar::cli {
namespace {

namespace fs = std::filesystem;
namespace mosquitto = config::mosquitto;
using broker::PacketIdsRecord;
using broker::QueueEntry;
using broker::Table;
using mosquitto::MessageState;

// This import stands as the first run of a broker on the store.
constexpr std::uint64_t kRun = 1;
constexpr std::uint64_t kFirstQueue = kRun << 40;
constexpr std::size_t kRowMessagesMax = 64;
constexpr std::size_t kRowBytesMax = std::size_t{32} * 1024;

// The list that `encoded` begins with its length; without it, an empty one.
std::optional<mqtt::Properties> properties_of(std::string_view encoded) {
  if (encoded.empty()) return mqtt::Properties{};
  ByteView in = as_bytes(encoded);
  auto read = mqtt::read_properties(in, mqtt::PropertyContext::kPublish);
  if (!read || !in.empty()) return std::nullopt;
  return *read;
}

class Import {
 public:
  Import(const mosquitto::Persistence& from, const ImportTarget& target, broker::Changes& changes)
      : from_(from), target_(target), changes_(changes) {}

  ImportedState run() {
    clock_ = broker::begin_run(std::nullopt, std::nullopt, target_.boot, target_.now, changes_)->clock;
    changes_.put(Table::kMeta, broker::kShardsKey, std::to_string(target_.shards));
    read_messages();
    put_retained();
    put_sessions();
    return done_;
  }

 private:
  using Messages = std::vector<const mosquitto::ClientMessage*>;
  using Subscriptions = std::vector<const mosquitto::StoredSubscription*>;

  [[nodiscard]] MonoTime ours(std::int64_t since_1970_s) const {
    return {target_.now.ms + since_1970_s * 1000 - target_.wall_ms};
  }

  broker::MessageRef message_of(const mosquitto::StoredMessage& stored) {
    if (!mqtt::is_valid_topic_name(stored.topic)) return {};
    const auto properties = properties_of(stored.properties);
    if (!properties) return {};
    ByteBuffer forwarded;
    broker::protocol::append_forwarded(forwarded, *properties);
    std::string source;
    const auto listener = target_.listeners.find(stored.source_port);
    if (stored.retain && !stored.source_id.empty() && listener != target_.listeners.end())
      broker::write_source({stored.source_id, stored.source_user_name, listener->second}, source);
    return broker::Message::make(
        {.topic = stored.topic,
         .payload = as_bytes(stored.payload),
         .properties = forwarded.view(),
         .qos = static_cast<mqtt::Qos>(stored.qos),
         .retain = stored.retain,
         .expires = stored.expires_s == 0 ? kNever : ours(stored.expires_s),
         .origin = stored.source_id.empty() ? 0 : broker::stable_hash(stored.source_id),
         .source = source});
  }

  void read_messages() {
    for (const mosquitto::StoredMessage& stored : from_.messages) {
      broker::MessageRef message = message_of(stored);
      if (!message) {
        ++done_.unusable;
      } else if (message->expires() <= target_.now) {
        ++done_.expired_messages;
      } else {
        messages_.emplace(stored.id, std::move(message));
      }
    }
  }

  broker::MessageRef message(std::uint64_t id) const {
    const auto found = messages_.find(id);
    return found == messages_.end() ? broker::MessageRef{} : found->second;
  }

  void put_retained() {
    std::string value;
    for (const std::uint64_t id : from_.retained) {
      const broker::MessageRef retained = message(id);
      if (!retained || retained->payload().empty()) continue;
      broker::write_retained(*retained, clock_, value);
      changes_.put(Table::kRetained, retained->topic(), value);
      ++done_.retained;
    }
  }

  void put_sessions() {
    std::unordered_map<std::string_view, Messages> messages;
    std::unordered_map<std::string_view, Subscriptions> subscriptions;
    for (const auto& each : from_.client_messages) messages[each.client_id].push_back(&each);
    for (const auto& each : from_.subscriptions) subscriptions[each.client_id].push_back(&each);
    add_not_released(messages, subscriptions);
    std::set<std::string_view> seen;
    for (const mosquitto::StoredClient& client : from_.clients) {
      if (client.expiry_interval_s == 0) continue;  // its session ended with its connection
      if (client.id.empty() || client.id.find('\0') != std::string_view::npos ||
          !seen.insert(client.id).second) {
        ++done_.unusable;
      } else if (client.expires_s != 0 && ours(client.expires_s) <= target_.now) {
        ++done_.expired_sessions;
      } else {
        put_session(client, messages[client.id], subscriptions[client.id]);
      }
    }
  }

  // Mosquitto routes a QoS 2 message when its publisher releases it, Nightjar when it comes, and the
  // publisher will not send it again: so it goes to the queues now.
  void add_not_released(std::unordered_map<std::string_view, Messages>& messages,
                        const std::unordered_map<std::string_view, Subscriptions>& subscriptions) {
    for (const mosquitto::ClientMessage& from : from_.client_messages) {
      const broker::MessageRef incoming = message(from.message_id);
      if (!from.is_incoming || from.state != MessageState::kNotReleased || !incoming) continue;
      for (const auto& [client, all] : subscriptions) {
        std::optional<std::uint8_t> qos;
        for (const mosquitto::StoredSubscription* each : all) {
          if (!mqtt::is_valid_topic_filter(each->filter) || mqtt::is_shared(each->filter)) continue;
          if (each->no_local && client == from.client_id) continue;
          if (mqtt::matches(each->filter, incoming->topic()))
            qos = std::max(qos.value_or(0), std::min(each->qos, from.qos));
        }
        if (!qos) continue;
        routed_.push_back(std::make_unique<mosquitto::ClientMessage>(
            mosquitto::ClientMessage{.client_id = client, .message_id = from.message_id, .qos = *qos}));
        messages[client].push_back(routed_.back().get());
      }
      if (!incoming->retain()) continue;
      std::string value;
      if (incoming->payload().empty()) {
        changes_.erase(Table::kRetained, incoming->topic());
      } else {
        broker::write_retained(*incoming, clock_, value);
        changes_.put(Table::kRetained, incoming->topic(), value);
        ++done_.retained;
      }
    }
  }

  void put_session(const mosquitto::StoredClient& client, const Messages& messages,
                   const Subscriptions& subscriptions) {
    const broker::ShardId shard = broker::shard_of(client.id, target_.shards);
    const broker::QueueName queue{shard, kFirstQueue + ++done_.sessions};
    const auto listener = target_.listeners.find(client.listener_port);
    const bool has_left = client.expires_s != 0;
    const MonoTime left = has_left ? ours(client.expires_s - client.expiry_interval_s) : target_.now;
    changes_.put(
        Table::kSessions, broker::session_key(shard, client.id, 'h'),
        broker::write_session({.queue = queue.id,
                               .expiry_s = client.expiry_interval_s,
                               .user_name = std::string(client.user_name),
                               .listener = listener == target_.listeners.end() ? "" : listener->second,
                               .left = left},
                              clock_));
    for (const mosquitto::StoredSubscription* each : subscriptions) put_subscription(shard, *each);
    PacketIdsRecord ids{.waiting_from = 1, .last_id = client.last_packet_id};
    put_queue(queue, messages, ids);
    std::string value;
    broker::write_packet_ids(ids, value);
    changes_.put(Table::kSessions, broker::session_key(shard, client.id, 'p'), value);
  }

  void put_subscription(broker::ShardId shard, const mosquitto::StoredSubscription& from) {
    mqtt::SharedFilter shared;
    const bool is_shared = mqtt::is_shared(from.filter);
    if (is_shared ? !mqtt::parse_shared(from.filter, shared) : !mqtt::is_valid_topic_filter(from.filter)) {
      ++done_.unusable;
      return;
    }
    changes_.put(Table::kSessions, broker::session_key(shard, from.client_id, 's', from.filter),
                 broker::write_subscription({.identifier = from.identifier,
                                             .qos = static_cast<mqtt::Qos>(from.qos),
                                             .no_local = from.no_local,
                                             .retain_as_published = from.retain_as_published}));
    ++done_.subscriptions;
  }

  void put_queue(const broker::QueueName& queue, const Messages& messages, PacketIdsRecord& ids) {
    std::uint64_t sequence = 0;
    std::set<std::uint16_t> used;
    std::vector<QueueEntry> entries;
    for (const mosquitto::ClientMessage* each : messages) {
      if (each->is_incoming) {
        if (each->state == MessageState::kNotReleased && each->packet_id != 0)
          ids.incoming.push_back(each->packet_id);
        continue;
      }
      if (each->state == MessageState::kDone) continue;
      const bool has_id = each->state != MessageState::kWaiting && each->packet_id != 0 &&
                          used.insert(each->packet_id).second;
      const bool is_released = each->state == MessageState::kReleased && has_id;
      broker::MessageRef body = message(each->message_id);
      if (!is_released && !body) continue;
      ++sequence;
      if (has_id) ids.sent.push_back({sequence, {each->packet_id}, is_released});
      ++(is_released ? done_.released : has_id ? done_.in_flight : done_.waiting);
      if (!is_released) entries.push_back(entry_of(*each, sequence, has_id, std::move(body)));
    }
    std::sort(ids.incoming.begin(), ids.incoming.end());
    ids.incoming.erase(std::unique(ids.incoming.begin(), ids.incoming.end()), ids.incoming.end());
    put_rows(queue, entries);
  }

  QueueEntry entry_of(const mosquitto::ClientMessage& from, std::uint64_t sequence, bool has_id,
                      broker::MessageRef body) const {
    QueueEntry entry{.sequence = sequence,
                     .message = std::move(body),
                     .qos = static_cast<mqtt::Qos>(from.qos),
                     .retain = from.retain,
                     .id = {has_id ? from.packet_id : std::uint16_t{0}},
                     .enqueued = target_.now,
                     .subscription_ids = {}};
    if (const auto properties = properties_of(from.properties)) {
      mqtt::PropertyWalk walk(properties->empty() ? ByteView{} : properties->raw);
      mqtt::PropertyItem item;
      while (walk.next(item)) {
        if (item.id == mqtt::PropertyId::kSubscriptionIdentifier)
          entry.subscription_ids.push_back(item.number);
      }
    }
    return entry;
  }

  void put_rows(const broker::QueueName& queue, const std::vector<QueueEntry>& entries) {
    constexpr broker::CommitPoint kMadeBy{.origin = {0}, .number = 1};
    std::string value;
    for (std::size_t next = 0; next < entries.size();) {
      const std::uint64_t row = entries[next].sequence;
      broker::QueueValueWriter writer(value, kMadeBy, kRun, clock_);
      std::vector<QueueEntry> of_row;
      do {
        writer.add(entries[next]);
        of_row.push_back(entries[next++]);
      } while (next < entries.size() && of_row.size() < kRowMessagesMax && value.size() < kRowBytesMax);
      changes_.put(Table::kQueues, broker::queue_key(queue, row), value);
      changes_.put(Table::kMeta, broker::stretch_key(queue, row, kMadeBy.origin),
                   broker::write_stretch(broker::stretch_of(of_row)));
    }
  }

  const mosquitto::Persistence& from_;
  const ImportTarget& target_;
  broker::Changes& changes_;
  broker::StoreClock clock_;
  ImportedState done_;
  std::unordered_map<std::uint64_t, broker::MessageRef> messages_;
  std::vector<std::unique_ptr<mosquitto::ClientMessage>> routed_;
};

}  // namespace

ImportedState import_state(const mosquitto::Persistence& from, const ImportTarget& target,
                           broker::Changes& changes) {
  return Import(from, target, changes).run();
}

Result<void> write_data_dir(const fs::path& directory, const broker::Changes& changes) {
  std::error_code error;
  if (fs::exists(directory, error) &&
      (!fs::is_directory(directory, error) || !fs::is_empty(directory, error))) {
    return fail(fmt::format("{} is not an empty directory: give one with --data that is empty or not there",
                            directory.string()));
  }
  NJ_TRY(const DataDir data, DataDir::open(directory));
  Result<void> written;
  {
    auto store = store::RocksStore::open(data.store(), {});
    written = store ? (*store)->apply(changes) : Result<void>(tl::make_unexpected(store.error()));
  }
  if (!written) fs::remove_all(data.store(), error);
  return written;
}

}  // namespace nightjar::cli
