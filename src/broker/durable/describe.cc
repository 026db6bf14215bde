#include "broker/durable/describe.h"

#include <fmt/format.h>

#include "broker/durable/encoding.h"
#include "broker/durable/records.h"
#include "mqtt/utf8.h"

namespace nightjar::broker {
namespace {

std::string describe_session_key(const SessionKey& key) {
  const std::string name = quoted(key.name);
  if (key.is_group) {
    return fmt::format("{} of shared group {}", key.kind == 'q' ? "the queue" : "the state", name);
  }
  switch (key.kind) {
    case 'h':
      return fmt::format("session of client {}", name);
    case 'p':
      return fmt::format("packet ids of client {}", name);
    case 's':
      return fmt::format("subscription {} of client {}", quoted(key.detail), name);
    case 'w':
      return fmt::format("will of client {}", name);
    default:
      return fmt::format("a row of unknown kind of client {}", name);
  }
}

}  // namespace

std::string quoted(std::string_view text) {
  const bool is_text = mqtt::is_valid_utf8(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !is_text)) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out += '"';
}

std::string counted(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string describe_key(Table table, std::string_view key) {
  if (table == Table::kMeta) return fmt::format("the store's own note {}", quoted(key));
  if (table == Table::kRetained) return fmt::format("retained message of topic {}", quoted(key));
  if (table == Table::kSessions) {
    if (const auto read = read_session_key(key)) return describe_session_key(*read);
  } else if (const auto read = read_queue_key(key)) {
    return fmt::format("messages of queue {} from number {} on", read->queue.id, read->row);
  }
  return fmt::format("a row of the table {} with the key {}", name_of(table), quoted(key));
}

std::string_view name_of(Table table) {
  constexpr std::string_view kNames[kTableCount] = {"meta", "sessions", "queues", "retained"};
  return kNames[static_cast<std::size_t>(table)];
}

}  // namespace nightjar::broker
