#include "broker/durable/run.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace nightjar::broker {
namespace {

// The meta table of one store, through several runs.
struct Meta {
  StoreRun begin(std::string_view boot, std::int64_t now_ms) {
    Changes changes;
    const auto row = [this](std::string_view key) -> std::optional<std::string_view> {
      const auto found = rows.find(std::string(key));
      return found == rows.end() ? std::nullopt : std::optional<std::string_view>(found->second);
    };
    const auto run = begin_run(row(kRunKey), row(kTimeKey), boot, {now_ms}, changes);
    EXPECT_TRUE(run.has_value());
    apply(changes);
    return *run;
  }
  void note_time(const StoreRun& run, std::int64_t now_ms) {
    Changes changes;
    write_time(changes, run.clock, {now_ms});
    apply(changes);
  }
  void apply(const Changes& changes) {
    changes.for_each([this](const Change& change) { rows[std::string(change.key)] = change.value; });
  }
  std::map<std::string, std::string> rows;
};

TEST(StoreRun, CountsRuns) {
  Meta meta;
  EXPECT_EQ(meta.begin("boot", 5).incarnation, 1U);
  EXPECT_EQ(meta.begin("boot", 6).incarnation, 2U);
  EXPECT_EQ(meta.begin("other", 1).incarnation, 3U);
}

TEST(StoreRun, WithinOneBootTheTimeWithoutABrokerCounts) {
  Meta meta;
  const StoreRun first = meta.begin("boot", 1000);
  const std::uint64_t stored = first.clock.store({5000});
  const StoreRun second = meta.begin("boot", 60'000);
  EXPECT_EQ(second.clock.ours(stored).ms, 5000);
}

TEST(StoreRun, AfterANewBootTimeGoesOnWhereItWasSeenLast) {
  Meta meta;
  const StoreRun first = meta.begin("boot", 1000);
  meta.note_time(first, 100'000);
  const std::uint64_t stored = first.clock.store({130'000});  // 30 s behind what was seen last
  const StoreRun second = meta.begin("next", 50);             // the clock of the machine began anew
  EXPECT_EQ(second.clock.ours(stored).ms, 50 + 30'000);
}

TEST(StoreRun, KnowsNever) {
  const StoreClock clock{12345};
  EXPECT_EQ(clock.ours(clock.store(kNever)), kNever);
  EXPECT_EQ(clock.ours(clock.store({0})).ms, 0);
}

TEST(StoreRun, DamagedRowsAreNoRun) {
  Changes changes;
  EXPECT_FALSE(begin_run("\x01\x05"
                         "bo",
                         std::nullopt, "boot", {1}, changes)
                   .has_value());
  EXPECT_FALSE(begin_run("", std::nullopt, "boot", {1}, changes).has_value());
}

}  // namespace
}  // namespace nightjar::broker
