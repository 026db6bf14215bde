#include "cli/stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "cli/stats_table.h"

namespace nightjar::cli {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

Stats two_workers() {
  Stats stats{.version = "1.2.3",
              .process_id = 4711,
              .uptime_s = 7325,
              .resident_bytes = 3 << 20,
              .stranger_bytes = 49'152,
              .workers = {{}, {}}};
  stats.workers[0].connections = 5;
  stats.workers[1].connections = 2;
  stats.workers[0].ledger.routed = 10;
  stats.workers[0].ledger.delivered = 9;
  stats.workers[0].ledger.dropped[static_cast<std::size_t>(broker::DropReason::kExpired)] = 1;
  return stats;
}

TEST(Stats, SumsTheWorkersAndShowsEach) {
  const auto table = stats_table(to_json(two_workers()));
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_THAT(*table, HasSubstr("nightjar 1.2.3, process 4711, up 2 h 2 min, 3.0 MiB resident"));
  EXPECT_THAT(*table, ContainsRegex("connections +7 +5 +2\n"));
  EXPECT_THAT(*table, ContainsRegex("  routed +10 +10 +0\n"));
  EXPECT_THAT(*table, ContainsRegex("  imbalance +0 +0 +0\n"));
  EXPECT_THAT(*table, ContainsRegex("    expired +1 +1 +0\n"));
}

TEST(Stats, HaveWhatStrangersHold) {
  EXPECT_THAT(to_json(two_workers()), HasSubstr("\"stranger_bytes\":49152"));
}

TEST(Stats, OneWorkerNeedsNoColumnOfItsOwn) {
  Stats stats = two_workers();
  stats.workers.pop_back();
  const auto table = stats_table(to_json(stats));
  ASSERT_TRUE(table.has_value());
  EXPECT_THAT(*table, Not(HasSubstr("worker 0")));
}

TEST(Stats, WhatTheStoreDidStandsBelow) {
  Stats stats = two_workers();
  EXPECT_THAT(*stats_table(to_json(stats)), Not(HasSubstr("store")));
  stats.store = {.commits = 12, .compacted_bytes = 3'000'000'000};
  const auto table = stats_table(to_json(stats));
  ASSERT_TRUE(table.has_value());
  EXPECT_THAT(*table, ContainsRegex("store\n  commits +12\n"));
  EXPECT_THAT(*table, ContainsRegex("  compacted bytes +3000000000\n"));
}

TEST(Stats, CertificatesOfClientsAreCountedWhereTheyAreAskedFor) {
  Stats stats = two_workers();
  EXPECT_THAT(*stats_table(to_json(stats)), Not(HasSubstr("client certificates")));
  stats.certificates.clients = {
      .connected = 9, .end_within_30_days = 5, .end_within_7_days = 3, .expired = 2};
  const auto table = stats_table(to_json(stats));
  ASSERT_TRUE(table.has_value());
  EXPECT_THAT(*table, ContainsRegex("client certificates\n  connected +9\n  end within 30 days +5\n"
                                    "  end within 7 days +3\n  end within 1 day +0\n  have expired +2\n"));
}

TEST(Stats, EveryDropReasonIsShown) {
  const std::string text = to_json(two_workers());
  for (std::size_t i = 0; i < broker::kDropReasons; ++i) {
    EXPECT_THAT(text, HasSubstr(std::string(to_string(static_cast<broker::DropReason>(i)))));
  }
}

TEST(Stats, AnAnswerOfAnotherVersionIsNotGuessedAt) {
  for (const char* strange :
       {"", "[]", "{}", R"({"ok":true,"node":{},"total":{},"workers":[]})", "{\"node\":3}"}) {
    EXPECT_FALSE(stats_table(strange).has_value()) << strange;
  }
}

TEST(Stats, TheProcessKnowsItsMemoryAlsoWithoutDescriptors) {
  const ResidentMemory memory;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const std::uint64_t bytes = memory.bytes();
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_GT(bytes, 100'000u);
}

}  // namespace
}  // namespace nightjar::cli
