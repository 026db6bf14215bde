#include "broker/durable/audit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "broker/durable/describe.h"
#include "broker/durable/encoding.h"
#include "broker/durable/run.h"
#include "broker/policy.h"
#include "broker/shard_of.h"
#include "mqtt/topic.h"

namespace nightjar::broker {
namespace {

constexpr std::string_view kNotOfThisFormat = "its bytes are of no format that this Nightjar knows";
constexpr std::string_view kCannotBeRead = "cannot be read";
constexpr std::size_t kLargestQueues = 10;
// More names in one line help nobody; the rows themselves are in the damaged store, which is kept.
constexpr std::size_t kNamesMax = 8;
constexpr unsigned kRunBits = 40;  // of a QueueId, from here on: the run that gave it

std::string list_of(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), kNamesMax);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < names.size()) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

}  // namespace

struct Audit::Owner {
  std::string text;  // for people
  ShardId shard;
  QueueView view;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

// A session that cannot come back, and what hangs on it.
struct Audit::BrokenSession {
  std::string client_id;
  std::string why;
  std::vector<std::string> filters;
  bool has_will = false;
};

// ---- shards ----

void ShardCount::add(std::string_view key) {
  const auto read = read_session_key(key);
  if (!read || read->is_group || read->kind != 'h') return;
  for (std::size_t i = 0; i < kChoices; ++i) {
    if (shard_of(read->name, static_cast<std::uint16_t>(1U << i)) == read->shard) ++fitting_[i];
  }
}

std::uint16_t ShardCount::best() const {
  std::size_t best = static_cast<std::size_t>(std::countr_zero(NodePolicy{}.shards));
  for (std::size_t i = 0; i < kChoices; ++i) {
    if (fitting_[i] > fitting_[best]) best = i;
  }
  return static_cast<std::uint16_t>(1U << best);
}

// ---- rows ----

Audit::Audit(std::uint16_t shards) { seen_.shards = shards; }
Audit::~Audit() = default;

bool Audit::find(std::string what, std::string why, std::string effect) {
  findings_.push_back({std::move(what), std::move(why), std::move(effect)});
  return false;
}

void Audit::saw(MonoTime time) {
  if (time != kNever) latest_ = std::max(latest_, time);
}

bool Audit::row(Table table, std::string_view key, std::string_view value) {
  switch (table) {
    case Table::kMeta:
      return meta_row(key, value);
    case Table::kSessions:
      return session_row(key, value);
    case Table::kQueues:
      return queue_row(key, value);
    case Table::kRetained:
      return retained_row(key, value);
  }
  return false;
}

bool Audit::meta_row(std::string_view key, std::string_view value) {
  if (key.starts_with(kStretchKind)) {
    if (read_stretch_key(key) && read_stretch(value)) return true;
    return find("what is noted of some rows of messages", std::string(kNotOfThisFormat), "it is noted anew");
  }
  if (key == kRunKey) {
    const auto run = read_run(value);
    if (!run)
      return find("the count of the broker's runs", std::string(kNotOfThisFormat), "it is counted anew");
    has_run_ = true;
    seen_.runs = last_run_ = run->incarnation;
  }
  if (key == kTimeKey) {
    const auto time = read_time(value);
    if (!time) {
      return find("the store's clock", std::string(kNotOfThisFormat),
                  "it goes on from the youngest time in the other rows");
    }
    has_time_ = true;
    saw({*time});
  }
  return true;
}

bool Audit::session_row(std::string_view key, std::string_view value) {
  const auto read = read_session_key(key);
  if (!read) return find(describe_key(Table::kSessions, key), "its key is none of a session", "it is lost");
  if (read->name != present_name_) finish_session();
  present_name_ = read->name;
  if (read->is_group) return group_row(*read, value);
  return read->kind == 'h' ? header(*read, value) : detail(*read, value);
}

void Audit::break_session(const SessionKey& key, std::string why) {
  present_ = nullptr;
  if (broken_) return;
  broken_ = std::make_unique<BrokenSession>();
  broken_->client_id = key.name;
  broken_->why = std::move(why);
}

// The rows of a session that cannot come back are one finding.
void Audit::finish_session() {
  present_ = nullptr;
  present_group_.reset();
  if (!broken_) return;
  std::string with;
  if (!broken_->filters.empty()) {
    with = fmt::format(" with {} ({})", counted(broken_->filters.size(), "subscription"),
                       list_of(broken_->filters));
  }
  if (broken_->has_will) with += with.empty() ? " with its will" : " and its will";
  find(fmt::format("session of client {}", quoted(broken_->client_id)), broken_->why,
       fmt::format("it is lost{}: the client begins anew, and what waited for it does not come", with));
  broken_.reset();
}

bool Audit::header(const SessionKey& key, std::string_view value) {
  const auto record = read_session(value, clock_);
  if (!record) return break_session(key, std::string(kNotOfThisFormat)), false;
  if (const ShardId right = shard_of(key.name, seen_.shards); right != key.shard) {
    break_session(key, fmt::format("it lies in shard {} of {} and belongs to shard {}", key.shard.value,
                                   seen_.shards, right.value));
    return false;
  }
  const std::string text = fmt::format("client {}", quoted(key.name));
  auto owner = std::make_unique<Owner>(Owner{text, key.shard, QueueView(PacketIdsRecord{})});
  const auto [at, is_new] = owners_.try_emplace(record->queue, std::move(owner));
  if (!is_new) {
    break_session(key, fmt::format("its queue {} is that of {}", record->queue, at->second->text));
    return false;
  }
  saw(record->left);
  last_run_ = std::max(last_run_, record->queue >> kRunBits);
  present_ = at->second.get();
  ++seen_.sessions;
  return true;
}

bool Audit::detail(const SessionKey& key, std::string_view value) {
  if (present_ == nullptr) {
    break_session(key, "its header is missing");
    if (key.kind == 's') broken_->filters.push_back(quoted(key.detail));
    broken_->has_will |= key.kind == 'w';
    return false;
  }
  const std::string what =
      describe_key(Table::kSessions, session_key(key.shard, key.name, key.kind, key.detail));
  const std::string why{kNotOfThisFormat};
  if (key.kind == 'p') {
    auto record = read_packet_ids(value);
    if (!record) return find(what, why, "messages that were delivered already can come again");
    present_->view = QueueView(std::move(*record));
    return true;
  }
  if (key.kind == 's') {
    mqtt::SharedFilter shared;
    const bool is_shared = mqtt::is_shared(key.detail);
    const bool is_filter =
        is_shared ? mqtt::parse_shared(key.detail, shared) : mqtt::is_valid_topic_filter(key.detail);
    if (!is_filter) return find(what, "the filter is none", "it is lost");
    if (!read_subscription(value)) return find(what, why, "it is lost: the client has to subscribe again");
    if (is_shared) groups_with_members_.insert(std::string(key.detail));
    ++seen_.subscriptions;
    return true;
  }
  if (key.kind == 'w') {
    if (!read_will(value)) return find(what, why, "it is lost: nobody hears of the client's end");
    ++seen_.wills;
    return true;
  }
  return find(what, why, "it is lost");
}

bool Audit::group_row(const SessionKey& key, std::string_view value) {
  const std::string group = fmt::format("shared group {}", quoted(key.name));
  mqtt::SharedFilter shared;
  if (!mqtt::parse_shared(key.name, shared)) return find(group, "the name is none of a group", "it is lost");
  group_rows_.insert(std::string(key.name));
  if (key.kind == 'h') {
    auto record = read_group(value);
    if (!record) {
      return find("the state of " + group, std::string(kNotOfThisFormat),
                  "messages that were delivered already can come again");
    }
    if (!present_group_ || record->version >= present_group_->version) present_group_ = std::move(*record);
    return true;
  }
  const auto queue = key.kind == 'q' ? read_group_queue(value) : std::nullopt;
  if (!queue)
    return find("the queue of " + group, std::string(kNotOfThisFormat), "what waited for the group is lost");
  auto owner =
      std::make_unique<Owner>(Owner{group, key.shard, QueueView(present_group_.value_or(GroupRecord{}))});
  const auto [at, is_new] = owners_.try_emplace(*queue, std::move(owner));
  if (!is_new) {
    return find("the queue of " + group, fmt::format("it is also that of {}", at->second->text),
                "what waited for the group is lost");
  }
  last_run_ = std::max(last_run_, *queue >> kRunBits);
  return true;
}

// ---- messages ----

std::string Audit::owner_of(QueueId queue) const {
  const auto known = owners_.find(queue);
  return known != owners_.end() ? known->second->text : fmt::format("queue {}, which nobody owns", queue);
}

void Audit::begin_queue(const QueueName& queue) {
  finish_gap(std::nullopt);
  queue_ = queue;
  const auto known = owners_.find(queue.id);
  queue_owner_ = known == owners_.end() ? nullptr : known->second.get();
  last_sequence_ = 0;
  if (queue_owner_ == nullptr) ++seen_.leftover_queues;
}

bool Audit::queue_row(std::string_view key, std::string_view value) {
  const auto read = read_queue_key(key);
  if (!read) return find(describe_key(Table::kQueues, key), "its key is none of a queue", "it is lost");
  end_lost_row(*read);
  if (!queue_ || queue_->id != read->queue.id) begin_queue(read->queue);
  const auto entries = read_queue_value(value, clock_);
  if (!entries) {
    return find(fmt::format("messages for {} from number {} on", owner_of(read->queue.id), read->row),
                std::string(kNotOfThisFormat), "they are lost");
  }
  finish_gap(entries->empty() ? read->row : entries->front().sequence);
  last_run_ = std::max(last_run_, read->queue.id >> kRunBits);
  last_sequence_ = std::max(last_sequence_, read->row);
  if (queue_owner_ == nullptr) ++seen_.leftover_rows;
  for (const QueueEntry& entry : *entries) {
    last_sequence_ = std::max(last_sequence_, entry.sequence);
    saw(entry.enqueued);
    if (queue_owner_ == nullptr || queue_owner_->view.state_of(read->row, entry) == EntryState::kDone)
      continue;
    ++queue_owner_->messages;
    queue_owner_->bytes += entry.message->size();
    ++seen_.messages;
    seen_.message_bytes += entry.message->size();
  }
  return true;
}

bool Audit::retained_row(std::string_view topic, std::string_view value) {
  const MessageRef message = read_retained(topic, value, clock_);
  if (!message || message->payload().empty()) {
    return find(describe_key(Table::kRetained, topic), std::string(kNotOfThisFormat),
                "it is lost until it is published again");
  }
  ++seen_.retained;
  seen_.retained_bytes += message->size();
  return true;
}

// ---- what could not be read ----

void Audit::unread(Table table, const UnreadRows& rows) {
  if (!rows.key) return unread_range(table, rows);
  const std::string why = fmt::format("{} ({})", kCannotBeRead, rows.why);
  const auto key = table == Table::kQueues ? read_queue_key(*rows.key) : std::nullopt;
  if (!key) return (void)find(describe_key(table, *rows.key), why, "it is lost");
  end_lost_row(*key);
  if (!lost_rows_ || lost_rows_->queue != key->queue.id || lost_rows_->why != why) {
    finish_lost_rows();
    lost_rows_ = LostRows{.queue = key->queue.id, .first = key->row, .count = 0, .why = why, .open = {}};
  }
  ++lost_rows_->count;
  lost_rows_->open = key->row;
}

// The entries of a row are younger than its number and older than the next one's.
void Audit::end_lost_row(const QueueKey& next) {
  if (!lost_rows_ || !lost_rows_->open || lost_rows_->queue != next.queue.id) return;
  lost_rows_->messages_max += next.row - *std::exchange(lost_rows_->open, {});
}

// Rows of one queue that cannot be read, which readable ones may lie between.
void Audit::finish_lost_rows() {
  if (!lost_rows_) return;
  find(fmt::format("{} of messages for {}, the first with number {}", counted(lost_rows_->count, "row"),
                   owner_of(lost_rows_->queue), lost_rows_->first),
       lost_rows_->why,
       lost_rows_->open ? "they are lost"
                        : fmt::format("{} at most are lost", counted(lost_rows_->messages_max, "message")));
  lost_rows_.reset();
}

// A gap within the queue whose rows come.
bool Audit::is_in_queue(const UnreadRows& rows) const {
  if (!queue_ || !rows.after || !rows.before) return false;
  return *rows.after >= queue_key(*queue_, 0) && *rows.before < queue_end_key(*queue_);
}

void Audit::unread_range(Table table, const UnreadRows& rows) {
  const std::string why = fmt::format("{} ({})", kCannotBeRead, rows.why);
  if (table == Table::kQueues && is_in_queue(rows)) {
    gap_ = Finding{
        fmt::format("messages for {} after number {}", owner_of(queue_->id), last_sequence_), why, {}};
    return;
  }
  const std::string begin = rows.after ? describe_key(table, *rows.after) : "the beginning";
  const std::string end = rows.before ? describe_key(table, *rows.before) : "the end";
  std::string effect = "what lay there is lost";
  if (table == Table::kQueues) {
    effect = fmt::format("what lay there is lost; of {}", owners_between(rows));
  } else if (table == Table::kSessions) {
    effect = "sessions and subscriptions there are lost: their clients begin anew";
  } else if (table == Table::kRetained) {
    effect = "retained messages of topics there are lost until they are published again";
  }
  find(fmt::format("table {}, between {} and {}", name_of(table), begin, end), why, std::move(effect));
}

std::string Audit::owners_between(const UnreadRows& rows) const {
  std::vector<std::string> names;
  for (const auto& [queue, owner] : owners_) {
    const bool begins_before_its_end = !rows.before || queue_key({owner->shard, queue}, 0) < *rows.before;
    const bool ends_behind_its_begin = !rows.after || queue_end_key({owner->shard, queue}) > *rows.after;
    if (begins_before_its_end && ends_behind_its_begin) names.push_back(owner->text);
  }
  std::sort(names.begin(), names.end());
  return names.empty() ? "nobody whose session is known" : list_of(names);
}

void Audit::finish_gap(std::optional<std::uint64_t> next_sequence) {
  if (!gap_) return;
  gap_->effect = "what lay there is lost";
  if (next_sequence && *next_sequence > last_sequence_) {
    gap_->effect =
        fmt::format("{} at most are lost", counted(*next_sequence - last_sequence_ - 1, "message"));
  }
  findings_.push_back(std::move(*gap_));
  gap_.reset();
}

// ---- changes that did not arrive ----

void Audit::lost(const Changes& changes, std::string why) {
  finish_lost_rows();
  std::map<std::string, std::uint64_t> messages;  // by owner
  std::set<std::string> put;
  std::set<std::string> erased;
  changes.for_each([&](const Change& change) {
    if (change.table == Table::kMeta) return;
    const bool is_put = change.kind == Change::Kind::kPut;
    const auto key = change.table == Table::kQueues ? read_queue_key(change.key) : std::nullopt;
    if (key && is_put) {
      const auto entries = read_queue_value(change.value, clock_);
      messages[owner_of(key->queue.id)] += entries ? entries->size() : 1;
    } else {
      (is_put ? put : erased)
          .insert(key ? "messages for " + owner_of(key->queue.id) : describe_key(change.table, change.key));
    }
  });
  find("the log, which has the newest changes", std::move(why),
       "what came there and after that is lost, as far as it is known:");
  const std::string behind{"behind the damage in the log"};
  for (const auto& [owner, count] : messages)
    find(fmt::format("{} for {}", counted(count, "message"), owner), behind, "lost");
  for (const std::string& what : put) find(what, behind, "the newest state is lost");
  for (const std::string& what : erased)
    find(what, behind, "that they ended is lost, so they can come again");
}

// ---- the end ----

// Queues are named by run and number, and times count on the store's clock: neither may begin at its
// beginning again.
void Audit::mend(Changes& mending) {
  if (!has_run_ && last_run_ != 0) mending.put(Table::kMeta, kRunKey, write_run({.incarnation = last_run_}));
  if (!has_time_ && latest_ != MonoTime{}) write_time(mending, clock_, latest_);
}

std::vector<Finding> Audit::finish(Inventory& inventory, Changes& mending) {
  finish_session();
  finish_gap(std::nullopt);
  finish_lost_rows();
  if (!has_run_ && last_run_ != 0) {
    const bool is_said = std::any_of(findings_.begin(), findings_.end(), [](const Finding& finding) {
      return finding.what == "the count of the broker's runs";
    });
    if (!is_said) find("the count of the broker's runs", "it is missing", "it is counted anew");
  }
  seen_.groups = groups_with_members_.size();
  for (const std::string& group : group_rows_)
    seen_.leftover_groups += groups_with_members_.contains(group) ? 0U : 1U;
  for (const auto& [queue, owner] : owners_) {
    if (owner->messages != 0) seen_.largest_queues.push_back({owner->text, owner->messages, owner->bytes});
  }
  std::sort(seen_.largest_queues.begin(), seen_.largest_queues.end(), [](const auto& a, const auto& b) {
    return std::pair(b.bytes, std::string_view(a.owner)) < std::pair(a.bytes, std::string_view(b.owner));
  });
  if (seen_.largest_queues.size() > kLargestQueues) seen_.largest_queues.resize(kLargestQueues);
  mend(mending);
  inventory = std::move(seen_);
  return std::move(findings_);
}

}  // namespace nightjar::broker
