// Changes of the store's tables, in the order in which they are to be applied: one run of bytes, cheap to
// append to and to hand over. What the keys and values mean is in records.h. Lives on one thread at a time.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace nightjar::broker {

enum class Table : std::uint8_t {
  kMeta,      // of the node
  kSessions,  // sessions, subscriptions, wills, packet ids, shared groups
  kQueues,    // messages that wait for a session or a shared group, or are in flight
  kRetained
};
inline constexpr std::size_t kTableCount = 4;

struct Change {
  enum class Kind : std::uint8_t {
    kPut,
    kErase,
    kEraseRange,  // from `key` on, up to and without `value`
    kRefresh      // put what RetainedReader says of this topic when it is written, or erase
  };
  Kind kind = Kind::kPut;
  Table table = Table::kMeta;
  std::string_view key;
  std::string_view value;
};

class Changes {
 public:
  void put(Table table, std::string_view key, std::string_view value) {
    append(Change::Kind::kPut, table, key, value);
  }
  void erase(Table table, std::string_view key) { append(Change::Kind::kErase, table, key, {}); }
  void erase_range(Table table, std::string_view from, std::string_view to) {
    append(Change::Kind::kEraseRange, table, from, to);
  }
  void refresh(std::string_view topic) { append(Change::Kind::kRefresh, Table::kRetained, topic, {}); }

  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] std::size_t size_bytes() const { return bytes_.size(); }

  template <typename Visit>
  void for_each(Visit visit) const {
    const std::byte* at = bytes_.view().data();
    const std::byte* const end = at + bytes_.size();
    while (at != end) {
      Header header;
      std::memcpy(&header, at, sizeof(header));
      const char* const text = reinterpret_cast<const char*>(at + sizeof(header));
      visit(Change{header.kind, header.table, {text, header.key}, {text + header.key, header.value}});
      at += sizeof(header) + header.key + header.value;
    }
  }

 private:
  struct Header {
    std::uint32_t key;
    std::uint32_t value;
    Change::Kind kind;
    Table table;
  };
  void append(Change::Kind kind, Table table, std::string_view key, std::string_view value) {
    const Header header{static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(value.size()),
                        kind, table};
    std::byte* at = bytes_.prepare(sizeof(header) + key.size() + value.size());
    std::memcpy(at, &header, sizeof(header));
    at += sizeof(header);
    if (!key.empty()) std::memcpy(at, key.data(), key.size());
    if (!value.empty()) std::memcpy(at + key.size(), value.data(), value.size());
    bytes_.commit(sizeof(header) + key.size() + value.size());
  }

  ByteBuffer bytes_;
};

}  // namespace nightjar::broker
