#include "auth/native_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "auth/access_rules.h"
#include "auth/password_file.h"

namespace nightjar::auth {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// The hash of "secret" as mosquitto_ctrl dynsec of 2.0 keeps it.
constexpr std::string_view kHash =
    R"("password": "EO/lLlkeUgIiBaS8G8UK0ZMP1u508TA7Tl+AdJ1cEsmlbGyEPAERErpfq84j1kepISs0UzmcdL4ucgZ2uodxfQ==",
      "salt": "MDEyMzQ1Njc4OWFi", "iterations": 101)";

struct Imported {
  explicit Imported(const std::string& text)
      : native(native_access(read_dynamic_security(text, "d.json").value())),
        rules(AccessRules::parse_toml(native.rules, "rules.toml").value()),
        passwords(PasswordTable::parse(native.passwords, "passwords").value()) {}

  bool may(Action action, std::string_view user, std::string_view topic,
           std::string_view client = "c") const {
    return rules.decide(action, {.client_id = client, .user_name = user, .listener = "l"}, topic).is_allowed;
  }

  NativeAccess native;
  AccessRules rules;
  PasswordTable passwords;
};

std::string file(const std::string& clients, const std::string& groups, const std::string& roles,
                 const std::string& access = R"("publishClientReceive": true, "unsubscribe": true)",
                 const std::string& more = "") {
  return R"({"defaultACLAccess": {)" + access + R"(}, "clients": [)" + clients + R"(], "groups": [)" +
         groups + R"(], "roles": [)" + roles + "]" + more + "}";
}

std::string role(const std::string& name, const std::string& acls, const std::string& more = "") {
  return R"({"rolename": ")" + name + R"(", "acls": [)" + acls + "]" + more + "}";
}

std::string acl(const std::string& type, const std::string& topic, bool is_allowed, int priority = 0) {
  return R"({"acltype": ")" + type + R"(", "topic": ")" + topic + R"(", "allow": )" +
         (is_allowed ? "true" : "false") + R"(, "priority": )" + std::to_string(priority) + "}";
}

TEST(DynamicSecurity, ClientsKeepTheirPasswords) {
  const Imported made(file(R"({"username": "ann", )" + std::string{kHash} + R"(},
      {"username": "new", "encoded_password": "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFi$IPgZ1Rz8o8eUPCKpFxIUtOkSf4dY8XYNS4xuc0ywmvY"},
      {"username": "gone", "disabled": true, )" +
                               std::string{kHash} + R"(}, {"username": "bare"},
      {"username": "a:b", )" + std::string{kHash} +
                               "}",
                           "", ""));
  EXPECT_EQ(made.passwords.size(), 2u);
  ASSERT_NE(made.passwords.find("ann"), nullptr);
  EXPECT_TRUE(made.passwords.find("ann")->verify(as_bytes("secret")));
  EXPECT_FALSE(made.passwords.find("ann")->verify(as_bytes("Secret")));
  ASSERT_NE(made.passwords.find("new"), nullptr);
  EXPECT_EQ(made.passwords.find("new")->kind(), HashKind::kArgon2id);
  EXPECT_THAT(made.native.differing, Contains(HasSubstr("\"gone\" is disabled")));
  EXPECT_THAT(made.native.differing, Contains(HasSubstr("\"bare\" has no password")));
  EXPECT_THAT(made.native.differing, Contains(HasSubstr("\"a:b\" is left out")));
}

TEST(DynamicSecurity, AclsAreAskedByPriority) {
  const Imported made(file(
      R"({"username": "ann", "roles": [{"rolename": "low"}, {"rolename": "high", "priority": 5}]})", "",
      role("low", acl("publishClientSend", "a/#", true) + "," + acl("publishClientSend", "b/#", true)) + "," +
          role("high", acl("publishClientSend", "a/1", false, 1) + "," +
                           acl("publishClientSend", "a/1/#", true, 2) + "," +
                           acl("publishClientSend", "b/+", false, -1))));
  EXPECT_TRUE(made.may(kPublish, "ann", "a/1")) << "a/1/# has the higher priority, and covers a/1";
  EXPECT_TRUE(made.may(kPublish, "ann", "a/2"));
  EXPECT_FALSE(made.may(kPublish, "ann", "b/1"));
  EXPECT_TRUE(made.may(kPublish, "ann", "b/1/2"));
  EXPECT_FALSE(made.may(kPublish, "ann", "c"));
  EXPECT_FALSE(made.may(kPublish, "bob", "a/2")) << "nobody by that name";
  EXPECT_TRUE(made.may(kReceive, "ann", "whatever")) << "by default";
  EXPECT_FALSE(made.may(kReceive, "bob", "whatever"));
  EXPECT_TRUE(made.may(kReceive, "ann", "$SYS/broker/uptime"));
}

TEST(DynamicSecurity, AClientsOwnRolesComeBeforeThoseOfItsGroups) {
  const Imported made(file(R"({"username": "ann", "roles": [{"rolename": "own"}]}, {"username": "bob"})",
                           R"({"groupname": "g", "roles": [{"rolename": "group"}],
          "clients": [{"username": "ann"}, {"username": "bob", "priority": 1}, {"username": "nobody"}]},
         {"groupname": "h", "roles": [{"rolename": "own"}], "clients": [{"username": "bob", "priority": 9}]})",
                           role("own", acl("publishClientSend", "x", false)) + "," +
                               role("group", acl("publishClientSend", "#", true))));
  EXPECT_FALSE(made.may(kPublish, "ann", "x"));
  EXPECT_TRUE(made.may(kPublish, "ann", "y"));
  EXPECT_FALSE(made.may(kPublish, "bob", "x")) << "h comes before g";
  EXPECT_TRUE(made.may(kPublish, "bob", "y"));
}

TEST(DynamicSecurity, SubscribesAreLiteralOrPatterns) {
  const Imported made(file(
      R"({"username": "ann", "roles": [{"rolename": "r"}]})", "",
      role("r", acl("subscribeLiteral", "plant/#", false) + "," + acl("subscribePattern", "plant/#", true) +
                    "," + acl("subscribeLiteral", "other/+", true))));
  EXPECT_FALSE(made.may(kSubscribe, "ann", "plant/#"));
  EXPECT_TRUE(made.may(kSubscribe, "ann", "plant/+"));
  EXPECT_TRUE(made.may(kSubscribe, "ann", "other/+"));
  EXPECT_FALSE(made.may(kSubscribe, "ann", "other/a"));
  EXPECT_FALSE(made.may(kSubscribe, "ann", "#"));
}

TEST(DynamicSecurity, ARoleMayForbidWildcards) {
  const Imported made(file(R"({"username": "ann", "roles": [{"rolename": "r"}]})", "",
                           role("r", acl("subscribePattern", "#", true), R"(, "allowwildcardsubs": false)")));
  EXPECT_FALSE(made.may(kSubscribe, "ann", "a/+"));
  EXPECT_FALSE(made.may(kSubscribe, "ann", "#"));
  EXPECT_TRUE(made.may(kSubscribe, "ann", "a/b"));
}

TEST(DynamicSecurity, NamesStandForTheirOwn) {
  const Imported made(file(R"({"username": "ann", "roles": [{"rolename": "r"}]})", "",
                           role("r", acl("publishClientSend", "own/%u/%c", true))));
  EXPECT_TRUE(made.may(kPublish, "ann", "own/ann/c"));
  EXPECT_FALSE(made.may(kPublish, "ann", "own/bob/c"));
}

TEST(DynamicSecurity, AClientMayBeBoundToAnId) {
  const Imported made(file(R"({"username": "ann", "clientid": "pump \"1\""}, {"username": "bob"})", "", ""));
  EXPECT_EQ(made.rules.bound_client_id("ann"), "pump \"1\"");
  EXPECT_EQ(made.rules.bound_client_id("bob"), "");
}

TEST(DynamicSecurity, AnonymousClientsHaveTheRolesOfTheirGroup) {
  const Imported made(file("", R"({"groupname": "u", "roles": [{"rolename": "r"}]})",
                           role("r", acl("subscribePattern", "news/#", true)), R"("unsubscribe": true)",
                           R"(, "anonymousGroup": "u")"));
  EXPECT_TRUE(made.may(kSubscribe, "", "news/a"));
  EXPECT_FALSE(made.may(kReceive, "", "news/a"));
  EXPECT_THAT(made.native.differing, IsEmpty());
}

TEST(DynamicSecurity, TellsWhatCannotBeSaid) {
  const Imported made(
      file(R"({"username": "ann", "roles": [{"rolename": "r"}]}, {"username": "*"})", "",
           role("r", acl("publishClientSend", "a/#/b", true) + "," + acl("unsubscribePattern", "#", false) +
                         "," + acl("publishClientSend", "$CONTROL/dynamic-security/#", true) + "," +
                         acl("subscribeLiteral", "a*b", true) + "," + acl("publishClientSend", "x%c", true)),
           R"("publishClientSend": true)"));
  EXPECT_THAT(
      made.native.differing,
      AllOf(Contains(HasSubstr("\"a/#/b\" is left out")), Contains(HasSubstr("1 ACL that deny to unsub")),
            Contains(HasSubstr("$CONTROL")), Contains(HasSubstr("\"a*b\" is left out")),
            Contains(HasSubstr("\"x%c\" a part of a level"))));
  EXPECT_THAT(made.native.differing,
              AllOf(Contains(HasSubstr("client \"*\"")), Contains(HasSubstr("everybody may unsubscribe")),
                    Contains(HasSubstr("does not reach topics that begin with $"))));
}

TEST(DynamicSecurity, WhatIsNoFileOfThePluginIsAnError) {
  EXPECT_THAT(read_dynamic_security("{", "d.json").error().message, HasSubstr("d.json: this is no JSON"));
  EXPECT_THAT(read_dynamic_security("[]", "d.json").error().message, HasSubstr("one JSON object"));
  const auto odd =
      read_dynamic_security(R"({"clients": [3, {"username": 4}, {}], "roles": {}, "groups": null})", "d");
  ASSERT_TRUE(odd.has_value());
  EXPECT_THAT(odd->clients, IsEmpty());
}

TEST(DynamicSecurity, ACommentOfARuleHoldsNoLine) {
  const Imported made(file(R"({"username": "ann", "roles": [{"rolename": "a\n[[rule]]"}]})", "",
                           role("a\\n[[rule]]", acl("publishClientSend", "a", true))));
  EXPECT_TRUE(made.may(kPublish, "ann", "a"));
  EXPECT_THAT(made.native.rules, Not(HasSubstr("\n[[rule]]\n")));
}

}  // namespace
}  // namespace nightjar::auth
