#include "cli/store_dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "broker/durable/run.h"

namespace nightjar::cli {
namespace {

using broker::ShardId;
using broker::Table;
using testing::AllOf;
using testing::HasSubstr;

const broker::StoreClock kClock{};
constexpr ShardId kShard{5};

// The rows of one client with two messages, and one retained message.
std::string dump_of(DumpWishes wishes) {
  std::string out;
  StoreDump dump(std::move(wishes), [&out](std::string_view line) { out += line; });
  dump.row(Table::kMeta, broker::kRunKey, broker::write_run({.incarnation = 2, .boot = "b"}));
  const auto session = [&](char kind, const std::string& value, std::string_view detail = {}) {
    dump.row(Table::kSessions, broker::session_key(kShard, "pump", kind, detail), value);
  };
  session('h', broker::write_session({.queue = 7, .expiry_s = 60, .left = MonoTime{99}}, kClock));
  std::string ids;
  broker::write_packet_ids({.waiting_from = 2, .sent = {{.sequence = 1, .id = {4}}}}, ids);
  session('p', ids);
  session('s', broker::write_subscription({.qos = mqtt::Qos::kAtLeastOnce}), "a/#");
  session('w', broker::write_will({.topic = "gone", .payload = "bye"}));
  broker::Message::Parts parts;
  parts.topic = "a/b";
  parts.payload = as_bytes(std::string_view{"\xff\x00", 2});
  const auto message = broker::Message::make(parts);
  std::string entries;
  broker::QueueValueWriter writer(entries, {}, 1, kClock);
  for (const std::uint64_t sequence : {1U, 2U}) {
    broker::QueueEntry entry;
    entry.sequence = sequence;
    entry.message = message;
    writer.add(entry);
  }
  dump.row(Table::kQueues, broker::queue_key({kShard, 7}, 1), entries);
  dump.row(Table::kQueues, broker::queue_key({kShard, 7}, 3), "junk");
  std::string retained;
  broker::write_retained(*message, kClock, retained);
  dump.row(Table::kRetained, "state", retained);
  return out;
}

TEST(StoreDump, EveryRowIsALine) {
  EXPECT_THAT(dump_of({}),
              AllOf(HasSubstr("meta key=\"run\" runs=2 boot=\"b\"\n"),
                    HasSubstr("session client=\"pump\" shard=5 queue=7 expiry_s=60"),
                    HasSubstr("packet_ids client=\"pump\" waiting_from=2 last_id=0 sent=1 sent_ids=4\n"),
                    HasSubstr("subscription client=\"pump\" filter=\"a/#\" qos=1\n"),
                    HasSubstr("will client=\"pump\" topic=\"gone\""),
                    HasSubstr("number=1 state=\"in flight\" topic=\"a/b\""),
                    HasSubstr("number=2 state=\"waiting\" topic=\"a/b\""),
                    HasSubstr("retained topic=\"state\" qos=0 bytes=2\n"),
                    HasSubstr("unreadable table=\"queues\" what=\"messages of queue 7 from number 3 on\"")));
}

TEST(StoreDump, JsonHasOneObjectALineAndPayloadsWhenAskedFor) {
  std::string out = dump_of({.has_payloads = true, .is_json = true});
  std::size_t lines = 0;
  for (std::size_t at = 0; at < out.size(); ++lines) {
    const std::size_t end = out.find('\n', at);
    EXPECT_TRUE(boost::json::parse(out.substr(at, end - at)).is_object());
    at = end + 1;
  }
  EXPECT_EQ(lines, 9U);
  EXPECT_THAT(out, AllOf(HasSubstr("\"payload\":\"bye\""), HasSubstr("\"payload_base64\":\"/wA=\"")));
}

TEST(StoreDump, OneClientOrOneTopic) {
  EXPECT_THAT(dump_of({.client_id = "pump"}),
              AllOf(HasSubstr("session"), HasSubstr("message client"),
                    testing::Not(HasSubstr("retained topic")), testing::Not(HasSubstr("meta"))));
  EXPECT_THAT(dump_of({.client_id = "other"}), testing::Not(HasSubstr("client=")));
  EXPECT_THAT(dump_of({.topic_filter = "state"}),
              AllOf(HasSubstr("retained topic"), testing::Not(HasSubstr("client="))));
}

}  // namespace
}  // namespace nightjar::cli
