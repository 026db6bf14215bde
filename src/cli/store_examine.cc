#include "cli/store_examine.h"

#include <iterator>
#include <utility>

namespace nightjar::cli {
namespace {

using broker::Table;
constexpr std::array kTables{Table::kMeta, Table::kSessions, Table::kQueues, Table::kRetained};

std::uint16_t shards_of(const store::ReadOnlyStore& store) {
  broker::ShardCount shards;
  store.read(
      Table::kSessions,
      [&shards](std::string_view key, std::string_view) {
        shards.add(key);
        return true;
      },
      [](const broker::UnreadRows&) {});
  return shards.best();
}

std::vector<broker::Finding> findings_of_files(const store::ReadOnlyStore& store) {
  std::vector<broker::Finding> findings;
  for (store::FileDamage& file : store.check_files()) {
    findings.push_back({std::move(file.file), std::move(file.why), std::move(file.effect)});
  }
  return findings;
}

}  // namespace

Examination examine(const store::ReadOnlyStore& store, Depth depth, const KeepRow& keep) {
  Examination seen;
  broker::Audit audit(shards_of(store));
  bool is_wanted = true;
  for (const Table table : kTables) {
    const auto row = [&](std::string_view key, std::string_view value) {
      if (audit.row(table, key, value)) is_wanted = keep(table, key, value);
      return is_wanted;
    };
    if (is_wanted) store.read(table, row, [&](const broker::UnreadRows& rows) { audit.unread(table, rows); });
    seen.tables[static_cast<std::size_t>(table)] = store.size_of(table);
  }
  if (const auto log = store.check_log()) audit.lost(log->lost, log->why);
  if (depth == Depth::kFiles) seen.findings = findings_of_files(store);
  auto findings = audit.finish(seen.inventory, seen.mending);
  seen.findings.insert(seen.findings.end(), std::make_move_iterator(findings.begin()),
                       std::make_move_iterator(findings.end()));
  seen.format = store.format();
  seen.log_bytes = store.log_bytes();
  return seen;
}

}  // namespace nightjar::cli
