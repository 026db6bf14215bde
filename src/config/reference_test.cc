#include "config/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nightjar::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Explain, TellsMeaningValuesAndDefaultOfAKey) {
  EXPECT_THAT(explain("log.level").value(),
              AllOf(HasSubstr("log.level"), HasSubstr("one of \"debug\""), HasSubstr("Default: \"info\"")));
}

TEST(Explain, FindsAKeyInEveryTableThatHasIt) {
  EXPECT_THAT(explain("max_messages").value(),
              AllOf(HasSubstr("listener.queue.max_messages"), HasSubstr("shared.queue.max_messages")));
  EXPECT_THAT(explain("queue.max_messages").value(), Not(HasSubstr("shared")));
  EXPECT_THAT(explain("max_packet_size").value(), Not(HasSubstr("listener.")));
}

TEST(Explain, NamesTheNearestKey) {
  EXPECT_THAT(explain("max_mesages").error().message, HasSubstr("did you mean \"max_messages\"?"));
  EXPECT_THAT(explain("limits.max_packet_siz").error().message, HasSubstr("limits.max_packet_size"));
  EXPECT_THAT(explain("zzzzzzzz").error().message, HasSubstr("lists all"));
}

}  // namespace
}  // namespace nightjar::config
