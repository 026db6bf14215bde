// Reads a whole store, as far as it can be read: what is in it, and what is wrong. Main thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "broker/durable/audit.h"
#include "broker/durable/changes.h"
#include "store/read_only_store.h"

namespace nightjar::cli {

struct Examination {
  std::vector<broker::Finding> findings;
  broker::Inventory inventory;
  broker::Changes mending;  // what a store of the rows that are of use needs besides them
  std::uint32_t format = 0;
  std::array<store::TableSize, broker::kTableCount> tables{};
  std::uint64_t log_bytes = 0;
};

enum class Depth : std::uint8_t {
  kRows,  // each row that counts
  kFiles  // also what no row needs any more
};

// Every row of use is shown to `keep`; false ends the reading.
using KeepRow = std::function<bool(broker::Table table, std::string_view key, std::string_view value)>;
Examination examine(const store::ReadOnlyStore& store, Depth depth, const KeepRow& keep);

}  // namespace nightjar::cli
