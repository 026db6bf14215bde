#include "cli/store.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "cli/command_line.h"
#include "cli/data_dir.h"
#include "cli/store_backup.h"
#include "cli/store_dump.h"
#include "cli/store_examine.h"
#include "cli/store_repair.h"
#include "cli/store_report.h"
#include "store/read_only_store.h"

namespace nightjar::cli {
namespace {

constexpr int kNothingWrong = 0;
constexpr int kSomethingWrong = 1;
constexpr int kNotDone = 2;

using broker::Table;
using OpenedStore = Result<std::unique_ptr<store::ReadOnlyStore>>;

int status_of(const Examination& seen) { return seen.findings.empty() ? kNothingWrong : kSomethingWrong; }

// What to do next, behind the report, which may be read by a program.
void note(const std::string& text) {
  std::fflush(stdout);
  fmt::print(stderr, "{}\n", text);
}

bool keep_nothing(Table, std::string_view, std::string_view) { return true; }

Result<int> verify(const StoreOptions& options) {
  NJ_TRY(const DataDir data, DataDir::open_existing(options.data_dir));
  NJ_TRY(const auto store, store::ReadOnlyStore::open(data.store(), {}));
  const Examination seen = examine(*store, Depth::kFiles, keep_nothing);
  fmt::print("{}", options.is_json ? findings_json(seen) : findings_text(seen));
  if (!seen.findings.empty()) {
    note(fmt::format("\"nightjar store repair --data {}\" saves what can be read", data.path().string()));
  }
  return status_of(seen);
}

Result<int> repair_store(const StoreOptions& options) {
  NJ_TRY(const DataDir data, DataDir::open_existing(options.data_dir));
  NJ_TRY(const Repaired repaired, repair(data.store()));
  fmt::print("{}", options.is_json ? findings_json(repaired.found) : findings_text(repaired.found));
  if (repaired.damaged.empty()) {
    note(fmt::format("nothing is wrong with the store in {}; nothing was done", data.path().string()));
  } else {
    note(fmt::format("a new store is in {}; \"nightjar serve --data {}\" starts from it",
                     data.store().string(), data.path().string()));
  }
  return status_of(repaired.found);
}

Result<int> dump(const StoreOptions& options) {
  NJ_TRY(const DataDir data, DataDir::open_existing(options.data_dir));
  NJ_TRY(const auto store, store::ReadOnlyStore::open(data.store(), {}));
  StoreDump lines({.client_id = options.client_id,
                   .topic_filter = options.topic_filter,
                   .has_payloads = options.has_payloads,
                   .is_json = options.is_json},
                  [](std::string_view text) { fmt::print("{}", text); });
  bool is_whole = true;
  for (const Table table : {Table::kMeta, Table::kSessions, Table::kQueues, Table::kRetained}) {
    store->read(
        table,
        [&](std::string_view key, std::string_view value) {
          lines.row(table, key, value);
          return true;
        },
        [&is_whole](const broker::UnreadRows&) { is_whole = false; });
  }
  if (is_whole) return kNothingWrong;
  note("some rows cannot be read: \"nightjar store verify\" says which");
  return kSomethingWrong;
}

Result<int> stats(const StoreOptions& options) {
  NJ_TRY(const DataDir data, DataDir::open_existing(options.data_dir));
  NJ_TRY(const auto store, store::ReadOnlyStore::open(data.store(), {}));
  const Examination seen = examine(*store, Depth::kRows, keep_nothing);
  fmt::print("{}", options.is_json ? inventory_json(seen) : inventory_text(data.store().string(), seen));
  if (!seen.findings.empty()) note("something is damaged: \"nightjar store verify\" says what");
  return status_of(seen);
}

Result<int> backup(const StoreOptions& options) {
  NJ_CHECK(back_up_data(options.data_dir, options.target));
  fmt::print("done: \"nightjar serve --data {}\" starts from it\n", options.target);
  return kNothingWrong;
}

struct Command {
  std::string_view name;
  Result<int> (*run)(const StoreOptions& options);
};
constexpr std::array kCommands{Command{"verify", verify}, Command{"repair", repair_store},
                               Command{"dump", dump}, Command{"stats", stats}, Command{"backup", backup}};

}  // namespace

int run_store(int argc, char** argv) {
  const auto options = parse_store(argc, argv);
  if (!options) return options.error() == 0 ? kNothingWrong : kNotDone;
  for (const Command& command : kCommands) {
    if (command.name != options->command) continue;
    const auto status = command.run(*options);
    if (status) return *status;
    fmt::print(stderr, "nightjar store {}: {}\n", command.name, status.error().message);
  }
  return kNotDone;
}

}  // namespace nightjar::cli
