#include "broker/durable/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/durable/describe.h"
#include "broker/durable/run.h"
#include "broker/shard_of.h"

namespace nightjar::broker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint16_t kShards = 64;
const StoreClock kClock{};

MessageRef message(std::string_view topic, std::string_view payload) {
  Message::Parts parts;
  parts.topic = topic;
  parts.payload = as_bytes(payload);
  parts.qos = mqtt::Qos::kAtLeastOnce;
  return Message::make(parts);
}

std::string entries(std::uint64_t first, std::size_t count, std::string_view topic = "t") {
  std::string value;
  QueueValueWriter writer(value, {WorkerIndex{0}, 1}, 1, kClock);
  for (std::size_t i = 0; i < count; ++i) {
    QueueEntry entry;
    entry.sequence = first + i;
    entry.message = message(topic, "12345");
    entry.enqueued = MonoTime{1000};
    writer.add(entry);
  }
  return value;
}

// Rows as the tables have them, in order, and what an audit says of them.
struct AuditTest : testing::Test {
  Audit audit{kShards};
  Inventory inventory;
  Changes mending;

  static ShardId shard(std::string_view client) { return shard_of(client, kShards); }
  bool session(std::string_view client, QueueId queue) {
    return audit.row(Table::kSessions, session_key(shard(client), client, 'h'),
                     write_session({.queue = queue}, kClock));
  }
  bool row(std::string_view client, char kind, std::string_view value, std::string_view detail = {}) {
    return audit.row(Table::kSessions, session_key(shard(client), client, kind, detail), value);
  }
  bool subscription(std::string_view client, std::string_view filter) {
    return row(client, 's', write_subscription({}), filter);
  }
  bool queue(std::string_view client, QueueId id, std::uint64_t at, std::string_view value) {
    return audit.row(Table::kQueues, queue_key({shard(client), id}, at), value);
  }
  bool run() { return audit.row(Table::kMeta, kRunKey, write_run({.incarnation = 3})); }
  std::vector<std::string> findings() {
    std::vector<std::string> lines;
    for (const Finding& finding : audit.finish(inventory, mending)) {
      lines.push_back(finding.what + ": " + finding.why + ": " + finding.effect);
    }
    return lines;
  }
};

TEST_F(AuditTest, CountsWhatAStartWouldBringBack) {
  EXPECT_TRUE(run());
  Changes time;
  write_time(time, kClock, MonoTime{2000});
  time.for_each(
      [this](const Change& change) { EXPECT_TRUE(audit.row(change.table, change.key, change.value)); });
  EXPECT_TRUE(session("a", 7));
  std::string ids;
  write_packet_ids({.waiting_from = 3, .gone = {4}, .sent = {{.sequence = 2, .id = {9}}}}, ids);
  EXPECT_TRUE(row("a", 'p', ids));
  EXPECT_TRUE(subscription("a", "x/#"));
  EXPECT_TRUE(row("a", 'w', write_will({.topic = "w"})));
  EXPECT_TRUE(queue("a", 7, 1, entries(1, 5)));  // 1 is done, 2 in flight, 3 and 5 wait, 4 is gone
  std::string retained;
  write_retained(*message("r", "on"), kClock, retained);
  EXPECT_TRUE(audit.row(Table::kRetained, "r", retained));
  EXPECT_THAT(findings(), IsEmpty());
  EXPECT_EQ(inventory.runs, 3U);
  EXPECT_EQ(inventory.sessions, 1U);
  EXPECT_EQ(inventory.subscriptions, 1U);
  EXPECT_EQ(inventory.wills, 1U);
  EXPECT_EQ(inventory.messages, 3U);
  EXPECT_EQ(inventory.message_bytes, 18U);
  EXPECT_EQ(inventory.retained, 1U);
  ASSERT_EQ(inventory.largest_queues.size(), 1U);
  EXPECT_EQ(inventory.largest_queues[0].owner, "client \"a\"");
  EXPECT_TRUE(mending.empty());
}

TEST_F(AuditTest, AQueueOfNobodyIsALeftover) {
  run();
  EXPECT_TRUE(queue("a", 7, 1, entries(1, 2)));
  EXPECT_TRUE(queue("a", 7, 3, entries(3, 2)));
  EXPECT_THAT(findings(), IsEmpty());
  EXPECT_EQ(inventory.leftover_queues, 1U);
  EXPECT_EQ(inventory.leftover_rows, 2U);
  EXPECT_EQ(inventory.messages, 0U);
}

TEST_F(AuditTest, ASessionWithoutHeaderIsOneFindingWithAllThatHangsOnIt) {
  EXPECT_FALSE(subscription("pump", "a/#"));
  EXPECT_FALSE(subscription("pump", "b"));
  EXPECT_FALSE(row("pump", 'w', write_will({})));
  EXPECT_THAT(
      findings(),
      ElementsAre("session of client \"pump\": its header is missing: it is lost with 2 subscriptions "
                  "(\"a/#\", \"b\") and its will: the client begins anew, and what waited for it "
                  "does not come"));
}

TEST_F(AuditTest, ASessionInTheWrongShardIsLost) {
  const ShardId wrong{static_cast<std::uint16_t>(shard("a").value ^ 1U)};
  EXPECT_FALSE(
      audit.row(Table::kSessions, session_key(wrong, "a", 'h'), write_session({.queue = 1}, kClock)));
  EXPECT_THAT(findings(), ElementsAre(HasSubstr("session of client \"a\": it lies in shard")));
}

TEST_F(AuditTest, TwoSessionsWithOneQueueAreNamedBoth) {
  run();
  EXPECT_TRUE(session("a", 5));
  EXPECT_FALSE(session("b", 5));
  EXPECT_THAT(findings(),
              ElementsAre(HasSubstr("session of client \"b\": its queue 5 is that of client \"a\"")));
}

TEST_F(AuditTest, RowsThatCannotBeDecodedAreNamed) {
  run();
  session("a", 7);
  EXPECT_FALSE(row("a", 'p', "\x01\xff"));
  EXPECT_FALSE(row("a", 's', "nonsense", "x/+"));
  EXPECT_FALSE(row("a", 's', write_subscription({}), "x/#/y"));
  EXPECT_FALSE(row("a", 'w', ""));
  EXPECT_FALSE(queue("a", 7, 12, "junk"));
  EXPECT_FALSE(audit.row(Table::kRetained, "state/1", "junk"));
  EXPECT_THAT(
      findings(),
      ElementsAre(
          HasSubstr("packet ids of client \"a\": its bytes are of no format that this Nightjar knows: "
                    "messages that were delivered already can come again"),
          HasSubstr("subscription \"x/+\" of client \"a\""), HasSubstr("the filter is none"),
          HasSubstr("will of client \"a\""), HasSubstr("messages for client \"a\" from number 12 on"),
          HasSubstr("retained message of topic \"state/1\"")));
}

TEST_F(AuditTest, AGapInAQueueSaysHowManyMessagesItCanHaveHeld) {
  run();
  session("a", 7);
  queue("a", 7, 1, entries(1, 10));
  audit.unread(Table::kQueues, {.after = queue_key({shard("a"), 7}, 1),
                                .before = queue_key({shard("a"), 7}, 31),
                                .key = {},
                                .why = "checksum"});
  queue("a", 7, 31, entries(31, 1));
  EXPECT_THAT(findings(),
              ElementsAre("messages for client \"a\" after number 10: cannot be read (checksum): 20 messages "
                          "at most are lost"));
}

TEST_F(AuditTest, AGapOverQueuesNamesTheirOwners) {
  run();
  session("a", 7);
  audit.unread(Table::kQueues, {.after = {}, .before = {}, .key = {}, .why = "checksum"});
  EXPECT_THAT(findings(), ElementsAre(HasSubstr("what lay there is lost; of client \"a\"")));
}

TEST_F(AuditTest, LostRowsOfOneQueueAreOneFinding) {
  run();
  session("a", 7);
  for (const std::uint64_t at : {3U, 5U, 9U}) {
    audit.unread(Table::kQueues,
                 {.after = {}, .before = {}, .key = queue_key({shard("a"), 7}, at), .why = "gone"});
  }
  EXPECT_THAT(findings(),
              ElementsAre("3 rows of messages for client \"a\", the first with number 3: cannot be read "
                          "(gone): they are lost"));
}

TEST_F(AuditTest, LostRowsWithRowsBehindThemSayHowManyMessages) {
  run();
  session("a", 7);
  audit.unread(Table::kQueues,
               {.after = {}, .before = {}, .key = queue_key({shard("a"), 7}, 3), .why = "gone"});
  queue("a", 7, 10, entries(10, 2));
  audit.unread(Table::kQueues,
               {.after = {}, .before = {}, .key = queue_key({shard("a"), 7}, 12), .why = "gone"});
  queue("a", 7, 15, entries(15, 1));
  EXPECT_THAT(findings(),
              ElementsAre(HasSubstr("2 rows of messages for client \"a\", the first with number 3: cannot "
                                    "be read (gone): 10 messages at most are lost")));
}

TEST_F(AuditTest, ChangesThatAreLostAreSaidByOwner) {
  run();
  session("a", 7);
  Changes lost;
  lost.put(Table::kQueues, queue_key({shard("a"), 7}, 1), entries(1, 4));
  lost.put(Table::kRetained, "r/1", "x");
  lost.erase_range(Table::kQueues, queue_key({shard("a"), 7}, 0), queue_key({shard("a"), 7}, 1));
  audit.lost(lost, "000012.log is damaged at byte 7");
  EXPECT_THAT(
      findings(),
      ElementsAre(HasSubstr("000012.log is damaged at byte 7"), HasSubstr("4 messages for client \"a\""),
                  HasSubstr("retained message of topic \"r/1\""), HasSubstr("can come again")));
}

TEST_F(AuditTest, WithoutTheCountOfRunsQueuesGetNewNamesNevertheless) {
  constexpr QueueId kOfRun5 = (QueueId{5} << 40) + 1;
  session("a", kOfRun5);
  EXPECT_THAT(findings(), ElementsAre(HasSubstr("the count of the broker's runs: it is missing")));
  std::vector<std::uint64_t> runs;
  mending.for_each([&runs](const Change& change) {
    if (change.key == kRunKey) runs.push_back(read_run(change.value)->incarnation);
  });
  EXPECT_THAT(runs, ElementsAre(5U));
}

TEST_F(AuditTest, AGroupWithoutMemberIsALeftoverAndItsNewestStateCounts) {
  run();
  const std::string_view text = "$share/g/t";
  audit.row(Table::kSessions, group_record_key(ShardId{1}, text, 1),
            write_group({.version = 1, .next_sequence = 1}));
  audit.row(Table::kSessions, group_record_key(ShardId{1}, text, 2),
            write_group({.version = 2, .next_sequence = 3, .live = {1}}));
  EXPECT_TRUE(audit.row(Table::kSessions, group_queue_key(ShardId{1}, text), write_group_queue(9)));
  EXPECT_TRUE(audit.row(Table::kQueues, queue_key({ShardId{1}, 9}, 1), entries(1, 4)));
  EXPECT_THAT(findings(), IsEmpty());
  EXPECT_EQ(inventory.messages, 3U);  // 1, 3 and 4
  EXPECT_EQ(inventory.leftover_groups, 1U);
}

TEST(ShardCount, FollowsWhereTheSessionsLie) {
  ShardCount usual;
  ShardCount few;
  for (int i = 0; i < 50; ++i) {
    const std::string client = "client" + std::to_string(i);
    usual.add(session_key(shard_of(client, 64), client, 'h'));
    few.add(session_key(shard_of(client, 8), client, 'h'));
  }
  EXPECT_EQ(ShardCount{}.best(), 64);
  EXPECT_EQ(usual.best(), 64);
  EXPECT_EQ(few.best(), 8);
}

TEST(Describe, ControlCharactersAndWhatIsNoTextAreEscaped) {
  EXPECT_EQ(quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\\x0a\"");
  EXPECT_EQ(quoted("\xff\x01"), "\"\\xff\\x01\"");
  EXPECT_EQ(quoted("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
  EXPECT_EQ(describe_key(Table::kQueues, "short"), "a row of the table queues with the key \"short\"");
}

}  // namespace
}  // namespace nightjar::broker
