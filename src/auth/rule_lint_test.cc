#include "auth/rule_lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/access_rules.h"

namespace nightjar::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

RuleAudience usual() {
  return {.listeners = {"plain", "tls"}, .users = {"ann", "bob"}, .has_anonymous = true};
}

std::vector<std::string> of_toml(const std::string& text, const RuleAudience& audience = usual()) {
  WrittenRules written;
  const auto parsed = AccessRules::parse_toml(text, "acl.toml", &written);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return lint(written, "acl.toml", audience);
}

std::vector<std::string> of_mosquitto(const std::string& text, const RuleAudience& audience = usual()) {
  WrittenRules written;
  const auto parsed = AccessRules::parse_mosquitto(text, "acl", &written);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return lint(written, "acl", audience);
}

TEST(Covers, IsWhatMatchingSays) {
  EXPECT_TRUE(covers("#", "a/b"));
  EXPECT_TRUE(covers("a/#", "a"));
  EXPECT_TRUE(covers("a/#", "a/+/#"));
  EXPECT_TRUE(covers("+/b", "a/b"));
  EXPECT_TRUE(covers("a/+", "a/%u"));
  EXPECT_TRUE(covers("$SYS/#", "$SYS/broker"));
  EXPECT_FALSE(covers("a/+", "a/#"));
  EXPECT_FALSE(covers("a", "a/#"));
  EXPECT_FALSE(covers("a/b", "a/+"));
  EXPECT_FALSE(covers("a/%u", "a/ann"));
  EXPECT_FALSE(covers("a/b", "a"));
  EXPECT_FALSE(covers("#", "$SYS/broker"));
  EXPECT_FALSE(covers("+/broker", "$SYS/broker"));
}

TEST(RuleLint, SaysNothingAboutRulesThatAreInOrder) {
  EXPECT_THAT(
      of_toml("[[rule]]\nallow = \"all\"\ntopics = \"plant/#\"\nusers = [\"ann\", \"bob\"]\n"
              "[[rule]]\ndeny = \"publish\"\ntopics = \"plant/secret\"\n"
              "[[rule]]\nallow = \"receive\"\ntopics = \"$SYS/#\"\nusers = \"#anonymous\"\n"
              "[[rule]]\nallow = \"all\"\ntopics = \"own/%u/#\"\nusers = \"*\"\nlisteners = \"tls\"\n"),
      IsEmpty());
  EXPECT_THAT(of_mosquitto("topic read public/#\nuser ann\ntopic plant/#\ntopic deny plant/x\nuser bob\n"
                           "topic read plant/#\npattern write dev/%c/up\n"),
              IsEmpty());
}

TEST(RuleLint, NamesWhatIsDeniedAnyway) {
  EXPECT_THAT(
      of_toml(
          "[[rule]]\ndeny = \"all\"\ntopics = \"plant/#\"\n"
          "[[rule]]\nallow = \"publish\"\ntopics = [\"plant/1\", \"plant/2/+\"]\nusers = [\"ann\", \"bob\"]\n"
          "[[rule]]\nallow = \"publish\"\ntopics = [\"plant/1\", \"office\"]\nusers = [\"ann\", \"bob\"]\n"),
      ElementsAre("acl.toml:4: the rule never applies: line 1 denies all that it allows"));
  EXPECT_THAT(of_mosquitto("user ann\ntopic read a/b\ntopic deny a/#\nuser bob\ntopic read a/b\n"),
              ElementsAre("acl:2: the rule never applies: line 3 denies all that it allows"))
      << "the denial of ann's is none of bob's";
}

TEST(RuleLint, ADenialWithConditionsDeniesNotAll) {
  const std::string rule = "[[rule]]\nallow = \"publish\"\ntopics = \"a\"\nusers = [\"ann\", \"bob\"]\n";
  for (const std::string condition : {"users = \"ann\"", "clients = \"x*\"", "listeners = \"tls\""}) {
    EXPECT_THAT(of_toml("[[rule]]\ndeny = \"all\"\ntopics = \"#\"\n" + condition + "\n" + rule), IsEmpty())
        << condition;
  }
  EXPECT_THAT(of_toml("[[rule]]\ndeny = \"receive\"\ntopics = \"#\"\n" + rule), IsEmpty());
}

TEST(RuleLint, NamesWhatAnotherRuleSaysAlready) {
  EXPECT_THAT(of_toml("[[rule]]\nallow = \"publish\"\ntopics = \"a/b\"\nusers = \"ann\"\n"
                      "[[rule]]\nallow = \"all\"\ntopics = \"a/#\"\n"
                      "[[rule]]\nallow = \"all\"\ntopics = \"a/#\"\n"),
              ElementsAre("acl.toml:1: the rule says nothing that line 5 does not say",
                          "acl.toml:8: the rule says nothing that line 5 does not say"));
}

TEST(RuleLint, NamesWhatComesTooLateWhereTheFirstRuleWins) {
  const std::string first = "precedence = \"first\"\n";
  EXPECT_THAT(of_toml(first + "[[rule]]\nallow = \"publish\"\ntopics = \"a/b\"\n"
                              "[[rule]]\ndeny = \"all\"\ntopics = \"a/#\"\n"),
              IsEmpty())
      << "an exception";
  EXPECT_THAT(of_toml(first + "[[rule]]\nallow = \"all\"\ntopics = \"a/#\"\n"
                              "[[rule]]\ndeny = \"publish\"\ntopics = \"a/b\"\n"),
              ElementsAre("acl.toml:5: the rule never applies: line 2 comes first and decides all of it"));
}

TEST(RuleLint, TextsOfASubscribeAreNoTopics) {
  EXPECT_THAT(of_toml("[[rule]]\ndeny = \"all\"\ntopics = \"secret/#\"\n"
                      "[[rule]]\nallow = \"subscribe\"\nfilters = \"#\"\n"
                      "[[rule]]\nallow = \"subscribe\"\nfilters = [\"#\", \"+/x\"]\n"),
              ElementsAre("acl.toml:4: the rule says nothing that line 7 does not say"));
}

TEST(RuleLint, NamesUsersAndListenersThatAreNotThere) {
  EXPECT_THAT(
      of_toml("[[rule]]\nallow = \"all\"\ntopics = \"a\"\nusers = [\"ann\", \"bob\", \"anne\"]\n"
              "[[rule]]\nallow = \"all\"\ntopics = \"b\"\nlisteners = \"tsl\"\n"),
      ElementsAre("acl.toml:1: no password file has the user \"anne\"; correct the name, or take it out",
                  "acl.toml:5: no listener \"tsl\" uses these rules; correct the name, or take it out"));
  EXPECT_THAT(of_mosquitto("user anne\ntopic a\ntopic b\nuser ann\ntopic a\nuser bob\ntopic c\n"),
              ElementsAre("acl:2: no password file has the user \"anne\"; correct the name, or take it out"));
  RuleAudience certified = usual();
  certified.has_other_users = true;
  EXPECT_THAT(of_mosquitto("user anne\ntopic a\nuser ann\ntopic a\nuser bob\ntopic c\n", certified),
              IsEmpty());
}

TEST(RuleLint, NamesRulesForAnonymousClientsWhereNoneMayEnter) {
  RuleAudience closed = usual();
  closed.has_anonymous = false;
  EXPECT_THAT(
      of_toml("[[rule]]\nallow = \"all\"\ntopics = \"a\"\nusers = \"#anonymous\"\n"
              "[[rule]]\nallow = \"all\"\ntopics = \"b\"\nusers = \"*\"\n",
              closed),
      ElementsAre("acl.toml:1: the rule never applies: it is for anonymous clients, and none may enter"));
  EXPECT_THAT(
      of_mosquitto("topic read a\ntopic read b\nuser ann\ntopic c\nuser bob\ntopic c\n", closed),
      ElementsAre("acl:1: lines before the first \"user\" are for anonymous clients, and none may enter"));
}

TEST(RuleLint, NamesTopicsThatMeanNothing) {
  EXPECT_THAT(of_mosquitto("user ann\ntopic dev/%c/up\nuser bob\ntopic write $SYS/x\n"),
              ElementsAre("acl:2: in \"topic dev/%c/up\" %c and %u stand for themselves; write \"pattern\"",
                          "acl:4: nobody but the broker publishes to \"$SYS/x\""));
  EXPECT_THAT(
      of_toml("[[rule]]\nallow = \"all\"\ntopics = \"own/%u\"\nusers = \"#anonymous\"\n"
              "[[rule]]\nallow = \"all\"\ntopics = \"x\"\nusers = \"*\"\n"),
      ElementsAre("acl.toml:1: \"own/%u\" is no topic of an anonymous client, who has no name for %u"));
}

TEST(RuleLint, NamesUsersWhoMayDoNothing) {
  EXPECT_THAT(of_toml("[[rule]]\nallow = \"all\"\ntopics = \"a\"\nusers = \"ann\"\n"),
              ElementsAre("acl.toml: no rule allows anything to the user \"bob\""));
  RuleAudience many = usual();
  many.users = {"ann"};
  for (int n = 0; n < 25; ++n) many.users.insert("user" + std::to_string(n));
  const auto found = of_toml("[[rule]]\nallow = \"all\"\ntopics = \"a\"\nusers = \"ann\"\n", many);
  ASSERT_EQ(found.size(), 11U);
  EXPECT_EQ(found.back(), "acl.toml: nor to 15 other users");
}

}  // namespace
}  // namespace nightjar::auth
