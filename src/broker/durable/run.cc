#include "broker/durable/run.h"

#include <algorithm>
#include <string>

#include "broker/durable/encoding.h"

namespace nightjar::broker {
namespace {

// A clock of its own, far enough from 0 that no machine's uptime makes it negative.
constexpr std::int64_t kFirstTimeMs = std::int64_t{1} << 40;

std::string run_row(std::uint64_t incarnation, std::string_view boot, std::int64_t offset_ms) {
  std::string row;
  RecordWriter writer(row);
  writer.number(incarnation);
  writer.text(boot);
  writer.ordered(static_cast<std::uint64_t>(offset_ms), 8);
  return row;
}

}  // namespace

std::optional<StoreRun> begin_run(std::optional<std::string_view> last_run,
                                  std::optional<std::string_view> time_row, std::string_view boot,
                                  MonoTime now, Changes& changes) {
  StoreRun run{.incarnation = 1, .clock = {kFirstTimeMs - now.ms}};
  if (last_run) {
    RecordReader reader(*last_run);
    run.incarnation = reader.number() + 1;
    const bool is_same_boot = reader.text() == boot;
    const auto offset_ms = static_cast<std::int64_t>(reader.ordered(8));
    RecordReader time(time_row.value_or(std::string_view{}));
    const auto last_seen = static_cast<std::int64_t>(time_row ? time.ordered(8) : kFirstTimeMs);
    if (!reader.is_good() || !reader.at_end() || (time_row && !time.is_good())) return std::nullopt;
    run.clock.offset_ms = is_same_boot ? offset_ms : last_seen - now.ms;
  }
  changes.put(Table::kMeta, kRunKey, run_row(run.incarnation, boot, run.clock.offset_ms));
  write_time(changes, run.clock, now);
  return run;
}

void write_time(Changes& changes, const StoreClock& clock, MonoTime now) {
  std::string row;
  RecordWriter(row).ordered(static_cast<std::uint64_t>(now.ms + clock.offset_ms), 8);
  changes.put(Table::kMeta, kTimeKey, row);
}

}  // namespace nightjar::broker
