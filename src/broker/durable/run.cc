#include "broker/durable/run.h"

#include <algorithm>
#include <string>

#include "broker/durable/encoding.h"

namespace nightjar::broker {
namespace {

// A clock of its own, far enough from 0 that no machine's uptime makes it negative.
constexpr std::int64_t kFirstTimeMs = std::int64_t{1} << 40;

}  // namespace

std::string write_run(const RunRow& row) {
  std::string value;
  RecordWriter writer(value);
  writer.number(row.incarnation);
  writer.text(row.boot);
  writer.ordered(static_cast<std::uint64_t>(row.offset_ms), 8);
  return value;
}

std::optional<RunRow> read_run(std::string_view row) {
  RecordReader reader(row);
  RunRow run;
  run.incarnation = reader.number();
  run.boot = reader.text();
  run.offset_ms = static_cast<std::int64_t>(reader.ordered(8));
  if (!reader.is_good() || !reader.at_end()) return std::nullopt;
  return run;
}

std::optional<std::int64_t> read_time(std::string_view row) {
  RecordReader reader(row);
  const auto time = static_cast<std::int64_t>(reader.ordered(8));
  if (!reader.is_good()) return std::nullopt;
  return time;
}

std::optional<StoreRun> begin_run(std::optional<std::string_view> last_run,
                                  std::optional<std::string_view> time_row, std::string_view boot,
                                  MonoTime now, Changes& changes) {
  StoreRun run{.incarnation = 1, .clock = {kFirstTimeMs - now.ms}};
  if (last_run) {
    const auto last = read_run(*last_run);
    const auto last_seen = time_row ? read_time(*time_row) : kFirstTimeMs;
    if (!last || !last_seen) return std::nullopt;
    run.incarnation = last->incarnation + 1;
    run.clock.offset_ms = last->boot == boot ? last->offset_ms : *last_seen - now.ms;
  }
  changes.put(
      Table::kMeta, kRunKey,
      write_run(
          {.incarnation = run.incarnation, .boot = std::string(boot), .offset_ms = run.clock.offset_ms}));
  write_time(changes, run.clock, now);
  return run;
}

void write_time(Changes& changes, const StoreClock& clock, MonoTime now) {
  std::string row;
  RecordWriter(row).ordered(static_cast<std::uint64_t>(now.ms + clock.offset_ms), 8);
  changes.put(Table::kMeta, kTimeKey, row);
}

}  // namespace nightjar::broker
