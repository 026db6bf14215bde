// Rows of the store's tables. Input: the table, the size of the key, the key, the value.
// Reading never leaves the bytes; what is accepted stays the same when it is written and read again. An audit
// of the row survives whatever is in it, and says so when it is of no use.
#include "broker/durable/records.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/durable/audit.h"
#include "broker/durable/describe.h"
#include "fuzz_input.h"

using namespace nightjar;
using namespace nightjar::broker;
using nightjar::fuzz::require;

namespace {

constexpr StoreClock kClock{.offset_ms = 5};
constexpr std::uint16_t kShards = 64;

// `write` after `read` must give a value that reads to the same value again.
template <typename Read, typename Write>
void check_again(std::string_view value, Read read, Write write) {
  const auto record = read(value);
  if (!record) return;
  const std::string written = write(*record);
  const auto again = read(std::string_view{written});
  require(again.has_value(), "a written record is valid");
  require(write(*again) == written, "a record stays the same when it is written and read");
}

std::string rewrite_entries(const std::vector<QueueEntry>& entries) {
  std::string out;
  QueueValueWriter writer(out, {WorkerIndex{1}, 2}, 3, kClock);
  for (const QueueEntry& entry : entries) writer.add(entry);
  return out;
}

void check_session_rows(std::string_view value) {
  check_again(
      value, [](std::string_view v) { return read_session(v, kClock); },
      [](const SessionRecord& record) { return write_session(record, kClock); });
  check_again(value, read_subscription, write_subscription);
  check_again(value, read_will, write_will);
  check_again(value, read_group, write_group);
  check_again(value, read_group_queue, write_group_queue);
  check_again(value, read_packet_ids, [](const PacketIdsRecord& record) {
    std::string out;
    write_packet_ids(record, out);
    return out;
  });
}

void check_messages(std::string_view topic, std::string_view value) {
  check_again(
      value, [](std::string_view v) { return read_queue_value(v, kClock); }, rewrite_entries);
  const auto read = [topic](std::string_view v) -> std::optional<MessageRef> {
    MessageRef message = read_retained(topic, v, kClock);
    return message ? std::optional(std::move(message)) : std::nullopt;
  };
  check_again(value, read, [](const MessageRef& message) {
    std::string out;
    write_retained(*message, kClock, out);
    return out;
  });
}

void check_keys(std::string_view key) {
  for (const Table table : {Table::kMeta, Table::kSessions, Table::kQueues, Table::kRetained}) {
    require(!describe_key(table, key).empty(), "every key has a description");
  }
  if (const auto read = read_session_key(key); read && !read->is_group) {
    require(session_key(read->shard, read->name, read->kind, read->detail) == key || read->kind == 0,
            "a key stays the same when it is read and written");
  }
  if (const auto read = read_queue_key(key)) {
    require(queue_key(read->queue, read->row) == key, "a key of a queue stays the same");
  }
}

void check_audit(Table table, std::string_view key, std::string_view value) {
  Audit audit(kShards);
  const bool is_kept = audit.row(table, key, value);
  audit.unread(table, {.after = std::string(key), .before = {}, .key = {}, .why = "noise"});
  Changes lost;
  lost.put(table, key, value);
  audit.lost(lost, "noise");
  Inventory inventory;
  Changes mending;
  // The gap, the log, and the row itself if it is of no use.
  require(audit.finish(inventory, mending).size() >= (is_kept ? 2U : 3U), "what is not kept is said");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, size};
  const auto table = static_cast<Table>(input.choice(kTableCount));
  const std::string_view rest = as_text(input.rest());
  const std::size_t key_size =
      rest.empty() ? 0 : std::min<std::size_t>(static_cast<unsigned char>(rest[0]), rest.size() - 1);
  const std::string_view key = rest.empty() ? rest : rest.substr(1, key_size);
  const std::string_view value = rest.empty() ? rest : rest.substr(1 + key_size);
  check_keys(key);
  check_session_rows(value);
  check_messages(key, value);
  check_audit(table, key, value);
  return 0;
}
