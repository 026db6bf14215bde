#include "cli/store_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace nightjar::cli {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Examination some() {
  Examination seen;
  seen.format = 1;
  seen.inventory.runs = 2;
  seen.inventory.shards = 64;
  seen.inventory.sessions = 1;
  seen.inventory.messages = 12;
  seen.inventory.message_bytes = 3 * 1024 * 1024;
  seen.inventory.largest_queues = {{"client \"a\"", 12, 3 * 1024 * 1024}};
  seen.tables[2] = {.files = 3, .bytes = 4096};
  seen.log_bytes = 17;
  return seen;
}

TEST(StoreReport, SaysWhatIsThereAndThatNothingIsWrong) {
  EXPECT_EQ(findings_text(some()),
            "format 1, 2 runs: 1 session with 0 subscriptions and 12 messages, 0 retained messages, 0 wills\n"
            "0 findings\n");
}

TEST(StoreReport, AFindingIsOneLine) {
  Examination seen = some();
  seen.findings = {{"subscription \"x\" of client \"a\"", "cannot be read", "it is lost"}};
  EXPECT_THAT(findings_text(seen),
              AllOf(StartsWith("subscription \"x\" of client \"a\": cannot be read: it is lost\n"),
                    EndsWith("1 finding\n")));
}

TEST(StoreReport, LeftoversAreHarmlessWhereNothingIsDamaged) {
  Examination seen = some();
  seen.inventory.leftover_queues = 1;
  seen.inventory.leftover_rows = 4;
  EXPECT_THAT(findings_text(seen),
              HasSubstr("harmless leftovers, which the next start erases: 1 queue (4 rows)"));
  seen.findings = {{"a", "b", "c"}};
  EXPECT_THAT(findings_text(seen),
              AllOf(Not(HasSubstr("harmless")), HasSubstr("perhaps of sessions that are lost")));
}

TEST(StoreReport, JsonHasTheSame) {
  Examination seen = some();
  seen.findings = {{"a", "b", "c"}};
  const auto all = boost::json::parse(findings_json(seen)).as_object();
  EXPECT_EQ(all.at("messages").to_number<int>(), 12);
  EXPECT_EQ(all.at("findings").as_array().at(0).as_object().at("effect").as_string(), "c");
  const auto counts = boost::json::parse(inventory_json(seen)).as_object();
  EXPECT_EQ(counts.at("tables").as_object().at("queues").as_object().at("files").to_number<int>(), 3);
  EXPECT_EQ(counts.at("findings").to_number<int>(), 1);
}

TEST(StoreReport, TheTableHasSizesAndTheLargestQueues) {
  EXPECT_THAT(inventory_text("/d/store", some()),
              AllOf(StartsWith("/d/store: format 1, 2 runs, 64 shards\n"), HasSubstr("3.0 MiB"),
                    HasSubstr("4.0 KiB"), HasSubstr("17 B"), HasSubstr("client \"a\"")));
}

}  // namespace
}  // namespace nightjar::cli
