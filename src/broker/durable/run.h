// One run of the broker on a store: how many there were before it, and how its clock stands to the store's.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "broker/durable/changes.h"
#include "broker/durable/records.h"

namespace nightjar::broker {

inline constexpr std::string_view kRunKey = "run";    // of Table::kMeta: how the last run began
inline constexpr std::string_view kTimeKey = "time";  // the store's clock, written now and then
inline constexpr std::string_view kShardsKey =
    "shards";  // decimal digits: what the keys of sessions begin with

struct StoreRun {
  std::uint64_t incarnation = 1;  // the first run has 1
  StoreClock clock;
};

// The run that begins now. `boot`: names the boot of the machine that `now` counts from. As long as it is the
// same, the time between two runs counts; otherwise the store's clock goes on where it was last seen (rules:
// 19). std::nullopt: the rows are damaged.
std::optional<StoreRun> begin_run(std::optional<std::string_view> run_row,
                                  std::optional<std::string_view> time_row, std::string_view boot,
                                  MonoTime now, Changes& changes);

// The row under kRunKey: how a run began.
struct RunRow {
  std::uint64_t incarnation = 0;
  std::string boot;
  std::int64_t offset_ms = 0;  // of its clock, as in StoreClock
};
std::string write_run(const RunRow& row);
std::optional<RunRow> read_run(std::string_view row);

// The row under kTimeKey: milliseconds of the store's clock.
std::optional<std::int64_t> read_time(std::string_view row);
void write_time(Changes& changes, const StoreClock& clock, MonoTime now);

}  // namespace nightjar::broker
