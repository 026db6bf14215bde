#include "cli/password_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace nightjar::cli {
namespace {

using testing::HasSubstr;

constexpr std::string_view kText = "# people\nann:$1\n\nbob:$2";

TEST(PasswordEdit, AddsAUserBehindTheOthers) {
  EXPECT_EQ(with_user(kText, "f", "cy", "$3").value_or("failed"), "# people\nann:$1\n\nbob:$2\ncy:$3\n");
}

TEST(PasswordEdit, ReplacesAPasswordWhereItStands) {
  EXPECT_EQ(with_user(kText, "f", "ann", "$3").value_or("failed"), "# people\nann:$3\n\nbob:$2\n");
}

TEST(PasswordEdit, TakesAUserOut) {
  EXPECT_EQ(without_user(kText, "f", "ann").value_or("failed"), "# people\n\nbob:$2\n");
  const auto failed = without_user(kText, "f", "an");
  ASSERT_FALSE(failed.has_value());
  EXPECT_THAT(failed.error().message, HasSubstr("no user \"an\" in f"));
}

TEST(PasswordEdit, HashesWhatIsNoHash) {
  const std::string hashed = "bob:$2y$04$wZOZkH7kU1EqSK6qwmJaU.QVduIeoNdzt3wLeoUeSGObHgiwN0Etu\n";
  const auto hash = [](std::string_view password) -> Result<std::string> {
    return "<" + std::string(password) + ">";
  };
  EXPECT_EQ(with_hashes("# c\nann:pl:ain\n" + hashed, "f", hash).value_or("failed"),
            "# c\nann:<pl:ain>\n" + hashed);
}

TEST(PasswordEdit, LeavesAFileAloneThatItDoesNotUnderstand) {
  const auto failed = with_user("ann:$1\nnonsense\n", "f", "cy", "$3");
  ASSERT_FALSE(failed.has_value());
  EXPECT_THAT(failed.error().message, HasSubstr("f:2: "));
}

}  // namespace
}  // namespace nightjar::cli
