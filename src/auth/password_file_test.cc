#include "auth/password_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace nightjar::auth {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kHash =
    "$7$101$auWEQKP5lDj59Y9e$"
    "VoxLyz1stHVU1V07wUWsYP8wfNp8u9cqSZBA0ouidJz63oTJUzEABVqaEF5rPxyqlncblibR4kSDt0o8Y"
    "KL7Dw==";

std::string problem(const std::string& text) {
  const auto table = PasswordTable::parse(text, "passwords");
  return table ? "no problem" : table.error().message;
}

TEST(PasswordFile, FindsUsersAmongCommentsAndBlankLines) {
  const auto table =
      PasswordTable::parse("# users\n\n  \r\nann:" + kHash + "\r\nbob smith:" + kHash, "passwords");
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_EQ(table->size(), 2u);
  ASSERT_NE(table->find("ann"), nullptr) << "with CRLF";
  EXPECT_NE(table->find("bob smith"), nullptr) << "without a line end";
  EXPECT_EQ(table->find("Ann"), nullptr);
  EXPECT_TRUE(table->find("ann")->verify(as_bytes("secret")));
}

TEST(PasswordFile, BlanksAroundNamesAndFurtherFieldsAreNothing) {
  const auto table = PasswordTable::parse(" ann : " + kHash + ":Ann Smith\n", "passwords");
  ASSERT_TRUE(table.has_value()) << table.error().message;
  ASSERT_NE(table->find("ann"), nullptr);
  EXPECT_TRUE(table->find("ann")->verify(as_bytes("secret")));
}

TEST(PasswordFile, WithMosquittoTheLastLineOfAUserCounts) {
  const std::string other = *hash_password(HashKind::kSha512, "new");
  const auto table = PasswordTable::parse("ann:" + kHash + "\nann:" + other, "passwords",
                                          PasswordTable::Repeated::kLastCounts);
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_EQ(table->size(), 1u);
  EXPECT_TRUE(table->find("ann")->verify(as_bytes("new")));
}

TEST(PasswordFile, AnEmptyOneHasNobody) {
  const auto table = PasswordTable::parse("", "passwords");
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(table->size(), 0u);
  EXPECT_EQ(table->reference(), nullptr);
}

TEST(PasswordFile, NamesFileAndLineOfWhatIsWrong) {
  const std::string good = "ann:" + kHash + "\n";
  EXPECT_THAT(problem(good + "bob\n"), HasSubstr("passwords:2: a line reads USER:HASH"));
  EXPECT_THAT(problem("\n" + good + ":" + kHash), HasSubstr("passwords:3: the user has no name"));
  EXPECT_THAT(problem(good + good), HasSubstr("passwords:2: \"ann\" is in line 1 already"));
  EXPECT_THAT(problem("ann:secret"), HasSubstr("nightjar passwd -U passwords"));
  EXPECT_THAT(problem("ann:"), HasSubstr("not hashed"));
  EXPECT_THAT(problem("ann:$7$x$y$z"), HasSubstr("passwords:1: the password of \"ann\""));
  EXPECT_THAT(problem("\xFF:" + kHash), HasSubstr("no UTF-8"));
}

TEST(PasswordFile, KeepsPasswordsOutOfItsErrors) {
  EXPECT_THAT(problem("ann:s3cret"), Not(HasSubstr("s3cret")));
  EXPECT_THAT(problem("ann:$7$s3cret"), Not(HasSubstr("s3cret")));
}

}  // namespace
}  // namespace nightjar::auth
