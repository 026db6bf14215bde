#include "cli/store_dump.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>
#include <vector>

#include "broker/durable/describe.h"
#include "broker/durable/run.h"
#include "cli/json_text.h"
#include "mqtt/topic.h"

namespace nightjar::cli {
namespace {

using broker::EntryState;
using broker::QueueEntry;
using broker::Table;

// One line, for programs or for people.
class Line {
 public:
  Line(bool is_json, std::string_view type) : is_json_(is_json), members_(out_) {
    if (is_json_) {
      out_ += '{';
      members_.text("type", type);
    } else {
      out_ += type;
    }
  }
  Line& text(std::string_view name, std::string_view value) {
    if (is_json_) {
      members_.bytes(name, value);
    } else {
      fmt::format_to(std::back_inserter(out_), " {}={}", name, broker::quoted(value));
    }
    return *this;
  }
  Line& number(std::string_view name, std::uint64_t value) {
    if (is_json_) {
      members_.number(name, value);
    } else {
      fmt::format_to(std::back_inserter(out_), " {}={}", name, value);
    }
    return *this;
  }
  Line& flag(std::string_view name, bool value) {
    if (is_json_) {
      members_.boolean(name, value);
    } else if (value) {
      fmt::format_to(std::back_inserter(out_), " {}", name);
    }
    return *this;
  }
  template <typename Numbers>
  Line& numbers(std::string_view name, const Numbers& values) {
    if (values.begin() == values.end()) return *this;
    std::string list;
    for (const auto value : values)
      fmt::format_to(std::back_inserter(list), "{}{}", list.empty() ? "" : ",", value);
    if (is_json_) {
      members_.key(name);
      out_ += '[' + list + ']';
    } else {
      fmt::format_to(std::back_inserter(out_), " {}={}", name, list);
    }
    return *this;
  }
  std::string_view end() { return out_ += is_json_ ? "}\n" : "\n"; }

 private:
  const bool is_json_;
  std::string out_;
  JsonMembers members_;
};

std::uint64_t number_of(mqtt::Qos qos) { return static_cast<std::uint64_t>(qos); }

// Milliseconds of the store's clock; the meta row "time" says how far that was.
std::uint64_t at(MonoTime time) { return static_cast<std::uint64_t>(time.ms); }

std::string_view name_of(EntryState state) {
  switch (state) {
    case EntryState::kWaiting:
      return "waiting";
    case EntryState::kInFlight:
      return "in flight";
    case EntryState::kDone:
      return "done";
  }
  return "";
}

}  // namespace

StoreDump::StoreDump(DumpWishes wishes, Print print) : wishes_(std::move(wishes)), print_(std::move(print)) {}

bool StoreDump::wants_client(std::string_view client_id) const {
  return !wishes_.client_id || *wishes_.client_id == client_id;
}

bool StoreDump::wants_topic(std::string_view topic) const {
  return !wishes_.topic_filter || mqtt::matches(*wishes_.topic_filter, topic);
}

void StoreDump::row(Table table, std::string_view key, std::string_view value) {
  const bool is_read = table == Table::kMeta       ? meta_row(key, value)
                       : table == Table::kSessions ? session_row(key, value)
                       : table == Table::kQueues   ? queue_row(key, value)
                                                   : retained_row(key, value);
  if (is_read) return;
  print_(Line(wishes_.is_json, "unreadable")
             .text("table", broker::name_of(table))
             .text("what", broker::describe_key(table, key))
             .number("bytes", value.size())
             .end());
}

bool StoreDump::meta_row(std::string_view key, std::string_view value) {
  // What is noted of some rows of messages is in these too.
  if (key.starts_with(broker::kStretchKind)) return broker::read_stretch(value).has_value();
  Line line(wishes_.is_json, "meta");
  line.text("key", key);
  if (key == broker::kRunKey) {
    const auto run = broker::read_run(value);
    if (!run) return false;
    line.number("runs", run->incarnation).text("boot", run->boot);
  } else if (key == broker::kTimeKey) {
    const auto time = broker::read_time(value);
    if (!time) return false;
    line.number("ms", static_cast<std::uint64_t>(*time));
  } else {
    line.text("value", value);
  }
  if (!is_filtered()) print_(line.end());
  return true;
}

// ---- sessions and groups ----

bool StoreDump::session_row(std::string_view key, std::string_view value) {
  const auto read = broker::read_session_key(key);
  if (!read) return false;
  return read->is_group ? group_row(*read, value) : client_row(*read, value);
}

bool StoreDump::client_row(const broker::SessionKey& key, std::string_view value) {
  const bool is_wanted = wants_client(key.name) && !wishes_.topic_filter;
  if (key.kind == 'h') {
    const auto record = broker::read_session(value, clock_);
    if (!record) return false;
    present_queue_ = record->queue;
    owners_.insert_or_assign(
        record->queue, Owner{false, std::string(key.name), broker::QueueView(broker::PacketIdsRecord{})});
    if (is_wanted) print_session(key, *record);
    return true;
  }
  if (key.kind == 'p') {
    auto record = broker::read_packet_ids(value);
    if (!record) return false;
    if (is_wanted) print_packet_ids(key.name, *record);
    const auto owner = owners_.find(present_queue_);
    if (owner != owners_.end() && owner->second.name == key.name)
      owner->second.view = broker::QueueView(std::move(*record));
    return true;
  }
  if (key.kind == 's') {
    const auto record = broker::read_subscription(value);
    if (!record) return false;
    Line line(wishes_.is_json, "subscription");
    line.text("client", key.name).text("filter", key.detail).number("qos", number_of(record->qos));
    line.flag("no_local", record->no_local).flag("retain_as_published", record->retain_as_published);
    if (record->identifier != 0) line.number("identifier", record->identifier);
    if (is_wanted) print_(line.end());
    return true;
  }
  const auto will = key.kind == 'w' ? broker::read_will(value) : std::nullopt;
  if (!will) return false;
  Line line(wishes_.is_json, "will");
  line.text("client", key.name).text("topic", will->topic).number("qos", number_of(will->qos));
  line.flag("retain", will->retain).number("delay_s", will->delay_s).number("bytes", will->payload.size());
  if (will->has_expiry) line.number("expiry_s", will->expiry_s);
  if (wishes_.has_payloads) line.text("payload", will->payload);
  if (wants_client(key.name) && wants_topic(will->topic)) print_(line.end());
  return true;
}

void StoreDump::print_session(const broker::SessionKey& key, const broker::SessionRecord& record) {
  Line line(wishes_.is_json, "session");
  line.text("client", key.name).number("shard", key.shard.value).number("queue", record.queue);
  line.number("expiry_s", record.expiry_s).text("user", record.user_name).text("listener", record.listener);
  line.flag("connected", record.left == kNever);
  if (record.left != kNever) line.number("left_at", at(record.left));
  if (record.will_due != kNever) line.number("will_due_at", at(record.will_due));
  print_(line.end());
}

void StoreDump::print_packet_ids(std::string_view client_id, const broker::PacketIdsRecord& record) {
  std::vector<std::uint64_t> sent;
  std::vector<std::uint16_t> sent_ids;
  std::vector<std::uint16_t> released_ids;
  for (const auto& one : record.sent) {
    sent.push_back(one.sequence);
    (one.is_released ? released_ids : sent_ids).push_back(one.id.value);
  }
  Line line(wishes_.is_json, "packet_ids");
  line.text("client", client_id)
      .number("waiting_from", record.waiting_from)
      .number("last_id", record.last_id);
  line.numbers("gone", record.gone).numbers("sent", sent).numbers("sent_ids", sent_ids);
  print_(line.numbers("released_ids", released_ids).numbers("incoming_ids", record.incoming).end());
}

bool StoreDump::group_row(const broker::SessionKey& key, std::string_view value) {
  if (key.kind == 'q') {
    const auto queue = broker::read_group_queue(value);
    if (!queue) return false;
    owners_.insert_or_assign(*queue, Owner{true, std::string(key.name), broker::QueueView(present_group_)});
    present_group_ = {};
    Line line(wishes_.is_json, "group");
    if (!is_filtered())
      print_(line.text("group", key.name).number("shard", key.shard.value).number("queue", *queue).end());
    return true;
  }
  auto record = broker::read_group(value);
  if (!record) return false;
  Line line(wishes_.is_json, "group_state");
  line.text("group", key.name).number("version", record->version).number("next", record->next_sequence);
  if (!is_filtered()) print_(line.numbers("live", record->live).end());
  if (record->version >= present_group_.version) present_group_ = std::move(*record);
  return true;
}

// ---- messages ----

bool StoreDump::queue_row(std::string_view key, std::string_view value) {
  const auto read = broker::read_queue_key(key);
  const auto entries = read ? broker::read_queue_value(value, clock_) : std::nullopt;
  if (!entries) return false;
  const auto owner = owners_.find(read->queue.id);
  for (const QueueEntry& entry : *entries)
    print_entry(*read, owner == owners_.end() ? nullptr : &owner->second, entry);
  return true;
}

void StoreDump::print_entry(const broker::QueueKey& key, const Owner* owner, const QueueEntry& entry) {
  const bool is_of_client = owner != nullptr && !owner->is_group;
  if (wishes_.client_id && !(is_of_client && wants_client(owner->name))) return;
  if (!wants_topic(entry.message->topic())) return;
  Line line(wishes_.is_json, "message");
  if (owner != nullptr) line.text(owner->is_group ? "group" : "client", owner->name);
  line.number("queue", key.queue.id).number("row", key.row).number("number", entry.sequence);
  line.text("state", owner == nullptr ? "leftover" : name_of(owner->view.state_of(key.row, entry)));
  line.text("topic", entry.message->topic()).number("qos", number_of(entry.qos)).flag("retain", entry.retain);
  line.number("bytes", entry.message->payload().size());
  if (entry.id.value != 0) line.number("packet_id", entry.id.value);
  line.number("queued_at", at(entry.enqueued));
  if (const MonoTime expires = entry.message->expires(); expires != kNever)
    line.number("expires_at", at(expires));
  line.numbers("subscription_ids", entry.subscription_ids);
  if (wishes_.has_payloads) line.text("payload", as_text(entry.message->payload()));
  print_(line.end());
}

bool StoreDump::retained_row(std::string_view topic, std::string_view value) {
  const auto message = broker::read_retained(topic, value, clock_);
  if (!message) return false;
  if (wishes_.client_id || !wants_topic(topic)) return true;
  Line line(wishes_.is_json, "retained");
  line.text("topic", topic)
      .number("qos", number_of(message->qos()))
      .number("bytes", message->payload().size());
  if (message->expires() != kNever) line.number("expires_at", at(message->expires()));
  if (wishes_.has_payloads) line.text("payload", as_text(message->payload()));
  print_(line.end());
  return true;
}

}  // namespace nightjar::cli
