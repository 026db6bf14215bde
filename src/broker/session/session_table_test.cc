#include "broker/session/session_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using broker::Session;
using broker::SessionTable;
using broker::ShardId;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SessionTableTest : public ::testing::Test {
 protected:
  Session& add(const std::string& client_id, ShardId shard) {
    auto made = std::make_unique<Session>(world_.worker(0).state(), client_id, shard,
                                          broker::SessionSerial{1}, policy_);
    Session& session = *made;
    table_.insert(std::move(made));
    return session;
  }
  World world_;
  broker::ListenerPolicy policy_;
  SessionTable table_{4, 17};
};

TEST_F(SessionTableTest, FindsByClientIdInItsShard) {
  Session& a = add("a", {1});
  Session& b = add("b", {1});
  EXPECT_EQ(table_.find({1}, "a"), &a);
  EXPECT_EQ(table_.find({1}, "b"), &b);
  EXPECT_EQ(table_.find({1}, "c"), nullptr);
  EXPECT_EQ(table_.find({2}, "a"), nullptr);
}

TEST_F(SessionTableTest, GivesOneAway) {
  Session& a = add("a", {1});
  add("b", {1});
  EXPECT_EQ(table_.take(a).get(), &a);
  EXPECT_EQ(table_.find({1}, "a"), nullptr);
  EXPECT_EQ(table_.size({1}), 1U);
}

TEST_F(SessionTableTest, GivesAShardAwayAndKeepsTheOthers) {
  for (int i = 0; i < 1000; ++i) add("client-" + std::to_string(i), {static_cast<std::uint16_t>(i % 4)});
  EXPECT_THAT(table_.take_shard({2}), SizeIs(250));
  EXPECT_THAT(table_.take_shard({2}), IsEmpty());
  EXPECT_EQ(table_.find({2}, "client-2"), nullptr);
  EXPECT_NE(table_.find({3}, "client-3"), nullptr);
}

}  // namespace
}  // namespace nightjar::testing
