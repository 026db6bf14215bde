#include "cli/kept_state.h"

#include <fmt/format.h>

#include <fstream>
#include <optional>
#include <string>

#include "broker/durable/run.h"
#include "cli/data_dir.h"

namespace nightjar::cli {
namespace {

// Rows between two turns of the workers, so that what the subscription tree replaces is freed on the way.
constexpr std::size_t kRowsPerTurn = 10'000;

Result<std::optional<std::string>> meta_row(const store::RocksStore& store, std::string_view key) {
  std::optional<std::string> found;
  NJ_CHECK(store.scan(broker::Table::kMeta, key, [&](std::string_view at, std::string_view value) {
    if (at == key) found = std::string(value);
    return false;
  }));
  return found;
}

std::optional<std::string_view> view(const std::optional<std::string>& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

// The workers act within turns, though no thread of theirs runs yet.
class Turns {
 public:
  explicit Turns(std::span<broker::Worker* const> workers, MonoTime now) : workers_(workers), now_(now) {
    begin();
  }
  ~Turns() {
    for (broker::Worker* worker : workers_) {
      worker->end_turn();
      worker->wait_begins();
    }
  }
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;
  void count_row() {
    if (++rows_ % kRowsPerTurn != 0) return;
    for (broker::Worker* worker : workers_) worker->end_turn();
    begin();
  }

 private:
  void begin() {
    for (broker::Worker* worker : workers_) worker->begin_turn(now_);
  }
  std::span<broker::Worker* const> workers_;
  MonoTime now_;
  std::size_t rows_ = 0;
};

// A session is found under its shard, which another number of them would look for elsewhere.
Result<void> check_shards(const store::RocksStore& store, const broker::Node& node) {
  const std::string shards = std::to_string(node.policy().shards);
  NJ_TRY(const auto row, meta_row(store, broker::kShardsKey));
  if (row && *row != shards) {
    return fail(
        fmt::format("the store was made with {0} shards, and with {1} its sessions would not be found: write "
                    "shards = {0} "
                    "below [node], or give another directory with --data",
                    *row, shards));
  }
  return {};
}

Result<void> begin_run(store::RocksStore& store, broker::Node& node, MonoTime now, std::string_view boot) {
  NJ_TRY(const auto run_row, meta_row(store, broker::kRunKey));
  NJ_TRY(const auto time_row, meta_row(store, broker::kTimeKey));
  broker::Changes changes;
  const auto run = broker::begin_run(view(run_row), view(time_row), boot, now, changes);
  if (!run) return fail("the store's own notes are damaged; \"nightjar store verify\" says how far it goes");
  node.begin_run(run->incarnation, run->clock);
  return store.apply(changes);
}

}  // namespace

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

Result<std::unique_ptr<store::RocksStore>> open_store(const std::filesystem::path& data_dir,
                                                      config::Durability durability) {
  store::RocksOptions options;
  options.sync = durability == config::Durability::kOs ? store::RocksOptions::Sync::kOs
                                                       : store::RocksOptions::Sync::kFsync;
  return store::RocksStore::open(data_dir / kStoreName, options);
}

Result<broker::Restored> restore(store::RocksStore& store, broker::Node& node,
                                 std::span<broker::Worker* const> workers,
                                 std::span<const broker::ListenerPolicy* const> listeners,
                                 std::string_view boot) {
  const MonoTime now = node.ports().clock.now();
  NJ_CHECK(check_shards(store, node));
  NJ_CHECK(begin_run(store, node, now, boot));
  Turns turns(workers, now);
  broker::Restore restore(node, workers, listeners);
  const auto read = [&](broker::Table table, auto row) {
    return store.scan(table, {}, [&](std::string_view key, std::string_view value) {
      row(key, value);
      turns.count_row();
      return true;
    });
  };
  NJ_CHECK(read(broker::Table::kSessions, [&](auto key, auto value) { restore.session_row(key, value); }));
  NJ_CHECK(store.scan(broker::Table::kMeta, broker::Restore::begin_of_stretches(), [&](auto key, auto value) {
    turns.count_row();
    return restore.meta_row(key, value);
  }));
  for (const auto& [from, to] : restore.rows_to_read()) {
    NJ_CHECK(store.scan(broker::Table::kQueues, from, [&, end = std::string_view(to)](auto key, auto value) {
      if (key >= end) return false;
      restore.queue_row(key, value);
      turns.count_row();
      return true;
    }));
  }
  NJ_CHECK(read(broker::Table::kRetained, [&](auto key, auto value) { restore.retained_row(key, value); }));
  broker::Changes changes;
  broker::Restored found = restore.finish(changes);
  if (found.unreadable != 0) {
    return fail(fmt::format(
        "{} {} of the store cannot be read, the first is {}; \"nightjar store verify\" lists them, "
        "and \"nightjar store repair\" puts them aside",
        found.unreadable, found.unreadable == 1 ? "entry" : "entries", found.first_unreadable));
  }
  // Only now is it known that all sessions are where this number has them.
  changes.put(broker::Table::kMeta, broker::kShardsKey, std::to_string(node.policy().shards));
  NJ_CHECK(store.apply(changes));
  return found;
}

}  // namespace nightjar::cli
