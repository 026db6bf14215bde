#include "cli/client_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nightjar::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

broker::ClientInfo client(const std::string& id) {
  return {.client_id = id, .user_name = "ann", .queued = 7};
}

TEST(ClientPage, TakesThoseThatMatchInOrderUpToItsSize) {
  ClientPage page{.match = "pump", .clients_max = 2};
  page.add({client("valve"), client("pump-2")});
  page.add({client("pump-1")});
  EXPECT_FALSE(page.is_full());
  EXPECT_THAT(page.to_json(), HasSubstr(R"("more":false)"));
  page.add({client("pump-3")});
  EXPECT_TRUE(page.is_full());
  const std::string text = page.to_json();
  EXPECT_THAT(text, HasSubstr(R"("more":true)"));
  EXPECT_LT(text.find("pump-1"), text.find("pump-2"));
  EXPECT_THAT(text, Not(HasSubstr("valve")));
  EXPECT_THAT(text, Not(HasSubstr("pump-3")));
}

TEST(ClientJson, SaysWhyMessagesWereDropped) {
  broker::ClientInfo dropping = client("pump");
  EXPECT_THAT(client_json(dropping), HasSubstr(R"("dropped":0,"drops":{})"));
  dropping.dropped[static_cast<std::size_t>(broker::DropReason::kTooLarge)] = 3;
  dropping.dropped[static_cast<std::size_t>(broker::DropReason::kOffline)] = 4;
  EXPECT_THAT(client_json(dropping), HasSubstr(R"("dropped":7,"drops":{"offline":4,"too_large":3})"));
}

TEST(ClientsTable, ShowsOneClientALineAndSendsNoEscapes) {
  ClientPage page{.clients_max = 1};
  page.add({client("a\x1b[2J"), client("b")});
  const auto table = clients_table(page.to_json());
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_THAT(*table, HasSubstr("a\\u001b[2J"));
  EXPECT_THAT(*table, HasSubstr("(away)"));
  EXPECT_THAT(*table, HasSubstr("and more"));
  EXPECT_FALSE(clients_table("{}"));
  EXPECT_FALSE(clients_table("no JSON"));
}

}  // namespace
}  // namespace nightjar::cli
