#include "auth/access_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "auth/glob.h"
#include "mqtt/topic.h"

namespace nightjar::auth {
namespace {

using testing::HasSubstr;

broker::ClientIdentity who(std::string_view client, std::string_view user = "",
                           std::string_view listener = "tls") {
  return {.client_id = client, .user_name = user, .listener = listener};
}

AccessRules mosquitto(std::string_view text) {
  auto rules = AccessRules::parse_mosquitto(text, "acl");
  EXPECT_TRUE(rules.has_value()) << rules.error().message;
  return std::move(*rules);
}
AccessRules toml(std::string_view text) {
  auto rules = AccessRules::parse_toml(text, "acl.toml");
  EXPECT_TRUE(rules.has_value()) << rules.error().message;
  return std::move(*rules);
}

// ---- Mosquitto's ----

TEST(MosquittoAcl, LinesBeforeTheFirstUserAreForAnonymousClients) {
  const AccessRules rules = mosquitto("topic read news/#\nuser ann\ntopic plant/#\n");
  EXPECT_TRUE(rules.decide(kReceive, who("c"), "news/a").is_allowed);
  EXPECT_FALSE(rules.decide(kPublish, who("c"), "news/a").is_allowed);
  EXPECT_FALSE(rules.decide(kReceive, who("c"), "plant/a").is_allowed);
  EXPECT_FALSE(rules.decide(kReceive, who("c", "ann"), "news/a").is_allowed);
  EXPECT_TRUE(rules.decide(kPublish, who("c", "ann"), "plant/a").is_allowed);
  EXPECT_FALSE(rules.decide(kPublish, who("c", "bob"), "plant/a").is_allowed);
}

TEST(MosquittoAcl, DenyComesFirstWhereverItStands) {
  const AccessRules rules = mosquitto("user ann\ntopic readwrite plant/#\ntopic deny plant/+/secret\n");
  EXPECT_TRUE(rules.decide(kReceive, who("c", "ann"), "plant/1/level").is_allowed);
  const Decision denied = rules.decide(kReceive, who("c", "ann"), "plant/1/secret");
  EXPECT_FALSE(denied.is_allowed);
  EXPECT_EQ(rules.place(denied.line), "acl:3");
}

TEST(MosquittoAcl, TheUsersOwnLinesCountBeforePatterns) {
  const AccessRules rules =
      mosquitto("pattern deny plant/%u/x\npattern write plant/%u/#\nuser ann\ntopic write plant/ann/x\n");
  EXPECT_TRUE(rules.decide(kPublish, who("c", "ann"), "plant/ann/x").is_allowed);
  EXPECT_FALSE(rules.decide(kPublish, who("c", "bob"), "plant/bob/x").is_allowed);
  EXPECT_TRUE(rules.decide(kPublish, who("c", "bob"), "plant/bob/y").is_allowed);
}

TEST(MosquittoAcl, PatternsStandForTheClientAndTheUser) {
  const AccessRules rules = mosquitto("pattern write dev/%c/up\npattern read in/%u-%c/#\n");
  EXPECT_TRUE(rules.decide(kPublish, who("pump"), "dev/pump/up").is_allowed);
  EXPECT_FALSE(rules.decide(kPublish, who("pump"), "dev/other/up").is_allowed);
  EXPECT_TRUE(rules.decide(kReceive, who("pump", "ann"), "in/ann-pump/a").is_allowed);
  EXPECT_FALSE(rules.decide(kReceive, who("pump"), "in/-pump/a").is_allowed) << "there is no user";
}

TEST(MosquittoAcl, TopicsDoNotStandForAnybody) {
  const AccessRules rules = mosquitto("topic dev/%c\n");
  EXPECT_FALSE(rules.decide(kPublish, who("pump"), "dev/pump").is_allowed);
  EXPECT_TRUE(rules.decide(kPublish, who("pump"), "dev/%c").is_allowed);
}

TEST(MosquittoAcl, AnEmptyFileDeniesEverythingButSubscribe) {
  const AccessRules rules = mosquitto("# nothing\n");
  EXPECT_FALSE(rules.decide(kPublish, who("c", "ann"), "a").is_allowed);
  EXPECT_FALSE(rules.decide(kReceive, who("c", "ann"), "a").is_allowed);
  EXPECT_TRUE(rules.decide(kSubscribe, who("c", "ann"), "#").is_allowed);
}

TEST(MosquittoAcl, ReadsTopicsWithBlanksAndCrlf) {
  const AccessRules rules = mosquitto("user ann b\r\ntopic   read  a b/c \r\ntopic read\r\ntopic\tdeny x");
  EXPECT_TRUE(rules.decide(kReceive, who("c", "ann b"), "a b/c").is_allowed);
  EXPECT_TRUE(rules.decide(kPublish, who("c", "ann b"), "read").is_allowed) << "a topic of that name";
  EXPECT_EQ(rules.size(), 3u);
}

TEST(MosquittoAcl, NamesTheLineOfWhatIsWrong) {
  const auto problem = [](std::string_view text) {
    const auto rules = AccessRules::parse_mosquitto(text, "acl");
    return rules ? std::string("no problem") : rules.error().message;
  };
  EXPECT_THAT(problem("topic a\ntopics b\n"), HasSubstr("acl:2: \"topics\" is none of"));
  EXPECT_THAT(problem("topic write\t\nuser\n"), HasSubstr("acl:2: \"user\" without a name"));
  EXPECT_THAT(problem("topic\n"), HasSubstr("acl:1: the topic is missing"));
  EXPECT_THAT(problem("topic raed a\n"), HasSubstr("acl:1: \"raed\" is none of \"read\""));
  EXPECT_THAT(problem("topic read a/#/b\n"), HasSubstr("acl:1: \"a/#/b\" is no topic filter"));
  EXPECT_THAT(problem("pattern read a+\n"), HasSubstr("no topic filter"));
}

// ---- names as a way in ----

TEST(AccessRules, ANameWithAWildcardReachesNothing) {
  const AccessRules rules = mosquitto(
      "pattern readwrite dev/%c/#\npattern readwrite user/%u\npattern read news\nuser a+\ntopic own\n");
  for (const std::string_view name : {"#", "+", "pump/+", "a+"}) {
    EXPECT_FALSE(rules.decide(kReceive, who(name, name), "dev/pump/secret").is_allowed) << name;
    EXPECT_FALSE(rules.decide(kPublish, who(name, name), "user/ann").is_allowed) << name;
    EXPECT_FALSE(rules.decide(kReceive, who("c", name), "news").is_allowed) << name << ": no pattern at all";
    EXPECT_FALSE(rules.decide(kReceive, who(name, "ann"), "news").is_allowed) << name;
  }
  EXPECT_TRUE(rules.decide(kReceive, who("#", "a+"), "own").is_allowed) << "the user's own lines count";
}

TEST(AccessRules, ASlashInANameBeginsALevelWithMosquitto) {
  const AccessRules rules = mosquitto(
      "pattern readwrite dev/%c/#\npattern read %u/x%c\npattern readwrite last/%u\npattern deny "
      "dev/%c/secret\n");
  const auto may = [&rules](std::string_view id, std::string_view user, std::string_view topic) {
    return rules.decide(kReceive, who(id, user), topic).is_allowed;
  };
  EXPECT_TRUE(may("a/b", "", "dev/a/b/c"));
  EXPECT_TRUE(may("a/b", "", "dev/a/b"));
  EXPECT_FALSE(may("a/b", "", "dev/a/c"));
  EXPECT_FALSE(may("a/b", "", "dev/a"));
  EXPECT_FALSE(may("a/b", "", "dev/a/bc"));
  EXPECT_FALSE(may("a/b", "", "dev/a/b/secret"));
  EXPECT_TRUE(may("a/b", "site/ann", "site/ann/xa/b"));
  EXPECT_FALSE(may("a/b", "site/ann", "site/ann/xa"));
  EXPECT_TRUE(may("c", "site/ann", "last/site/ann"));
  EXPECT_FALSE(may("c", "site/ann", "last/site/ann/x"));
  EXPECT_TRUE(may("c", "/", "last//"));
}

TEST(TomlAcl, ANameWithASlashStandsForNothing) {
  const AccessRules rules = toml("[[rule]]\nallow = \"all\"\ntopics = \"dev/%c/#\"\n");
  EXPECT_FALSE(rules.decide(kReceive, who("a/b"), "dev/a/b/c").is_allowed);
  EXPECT_FALSE(rules.decide(kReceive, who("a/b"), "dev/a/c").is_allowed);
}

TEST(AccessRules, ANameDoesNotOpenSys) {
  const AccessRules rules = mosquitto("pattern read %c/#\npattern read $SYS/clients/%c\n");
  EXPECT_FALSE(rules.decide(kReceive, who("$SYS"), "$SYS/broker").is_allowed);
  EXPECT_TRUE(rules.decide(kReceive, who("a"), "$SYS/clients/a").is_allowed);
}

TEST(AccessRules, NobodyGetsPastADenialByHisName) {
  const AccessRules rules = toml(R"(
[[rule]]
allow = "all"
topics = ["#"]
[[rule]]
deny = "receive"
topics = ["secret/%c"]
)");
  EXPECT_FALSE(rules.decide(kReceive, who("pump"), "secret/pump").is_allowed);
  EXPECT_TRUE(rules.decide(kReceive, who("pump"), "secret/other").is_allowed);
  EXPECT_FALSE(rules.decide(kReceive, who("pump/+"), "secret/pump").is_allowed) << "denied more, not less";
}

TEST(AccessRules, AWildcardStandsForNoDollar) {
  const AccessRules rules = mosquitto("topic #\ntopic +/x\n");
  EXPECT_TRUE(rules.decide(kReceive, who("c"), "a/x").is_allowed);
  EXPECT_FALSE(rules.decide(kReceive, who("c"), "$SYS/x").is_allowed);
}

// ---- Nightjar's own ----

constexpr std::string_view kPlant = R"(
[[rule]]
users = ["ann", "bob"]
allow = "all"
topics = ["plant/#", "own/%u/#"]

[[rule]]
deny = "publish"
topics = "plant/alarm"

[[rule]]
clients = "pump-*"
listeners = "tls"
allow = ["publish", "receive"]
topics = "pumps/%c/+"

[[rule]]
users = "*"
allow = "subscribe"
topics = "news"

[[rule]]
users = "#anonymous"
allow = ["subscribe", "receive"]
topics = "public/#"
)";

TEST(TomlAcl, DecidesByUserClientListenerAndTopic) {
  const AccessRules rules = toml(kPlant);
  EXPECT_EQ(rules.size(), 5u);
  EXPECT_TRUE(rules.decide(kPublish, who("c", "ann"), "plant/a").is_allowed);
  EXPECT_TRUE(rules.decide(kPublish, who("c", "bob"), "own/bob/x").is_allowed);
  EXPECT_FALSE(rules.decide(kPublish, who("c", "bob"), "own/ann/x").is_allowed);
  EXPECT_FALSE(rules.decide(kPublish, who("c", "cy"), "plant/a").is_allowed);
  EXPECT_TRUE(rules.decide(kPublish, who("pump-1"), "pumps/pump-1/level").is_allowed);
  EXPECT_FALSE(rules.decide(kPublish, who("pump-1"), "pumps/pump-2/level").is_allowed);
  EXPECT_FALSE(rules.decide(kSubscribe, who("pump-1"), "pumps/pump-1/level").is_allowed);
  EXPECT_FALSE(rules.decide(kPublish, who("pump-1", "", "plain"), "pumps/pump-1/level").is_allowed);
  EXPECT_FALSE(rules.decide(kPublish, who("valve"), "pumps/valve/level").is_allowed);
  EXPECT_TRUE(rules.decide(kSubscribe, who("c", "cy"), "news").is_allowed);
  EXPECT_FALSE(rules.decide(kSubscribe, who("c"), "news").is_allowed) << "has no user name";
  EXPECT_TRUE(rules.decide(kReceive, who("c"), "public/a").is_allowed);
  EXPECT_FALSE(rules.decide(kReceive, who("c", "cy"), "public/a").is_allowed) << "has a user name";
}

TEST(TomlAcl, DenyWinsAndNamesItsLine) {
  const AccessRules rules = toml(kPlant);
  const Decision denied = rules.decide(kPublish, who("c", "ann"), "plant/alarm");
  EXPECT_FALSE(denied.is_allowed);
  EXPECT_EQ(rules.place(denied.line), "acl.toml:7");
  EXPECT_TRUE(rules.decide(kReceive, who("c", "ann"), "plant/alarm").is_allowed);
  EXPECT_EQ(rules.place(rules.decide(kPublish, who("c", "cy"), "x").line), "acl.toml") << "no rule at all";
}

TEST(TomlAcl, AFilterIsAllowedIfARuleCoversAllOfIt) {
  const AccessRules rules = toml(kPlant);
  for (const std::string_view filter : {"plant/#", "plant/+", "plant/+/x", "plant", "plant/a/#", "own/ann/#"})
    EXPECT_TRUE(rules.decide(kSubscribe, who("c", "ann"), filter).is_allowed) << filter;
  for (const std::string_view filter : {"#", "+", "+/a", "plan", "own/#", "own/+/x", "own/bob/x"})
    EXPECT_FALSE(rules.decide(kSubscribe, who("c", "ann"), filter).is_allowed) << filter;
}

TEST(TomlAcl, SaysWhatIsWrongAndWhere) {
  const auto problem = [](std::string_view text) {
    const auto rules = AccessRules::parse_toml(text, "acl.toml");
    return rules ? std::string("no problem") : rules.error().message;
  };
  EXPECT_THAT(problem("rule = 3"), HasSubstr("acl.toml:1:8: rules are a list"));
  EXPECT_THAT(problem("[[rules]]"), HasSubstr("unknown key \"rules\""));
  EXPECT_THAT(problem("[[rule]]\ntopics = \"a\""),
              HasSubstr("acl.toml:1:1: a rule says either allow or deny"));
  EXPECT_THAT(problem("[[rule]]\nallow=\"all\"\ndeny=\"all\"\ntopics=\"a\""),
              HasSubstr("either allow or deny"));
  EXPECT_THAT(problem("[[rule]]\nallow = \"write\"\ntopics=\"a\""), HasSubstr("\"write\" is none of"));
  EXPECT_THAT(problem("[[rule]]\nallow = \"all\""), HasSubstr("names its topics"));
  EXPECT_THAT(problem("[[rule]]\nallow = \"all\"\ntopics = \"a/#/b\""), HasSubstr("no topic filter"));
  EXPECT_THAT(problem("[[rule]]\nallow = \"all\"\ntopic = \"a\""),
              HasSubstr("acl.toml:3:1: unknown key \"topic\""));
  EXPECT_THAT(problem("[[rule]]\nallow = \"all\"\ntopics = [1]"), HasSubstr("must be a string"));
  EXPECT_THAT(problem("[[rule]]\nallow = \"all\"\ntopics = \"a\"\nusers = []"),
              HasSubstr("\"users\" is empty"));
  EXPECT_THAT(problem("[[rule]]\nallow=\"all\"\ntopics=\"a\"\nusers=[\"*\",\"b\"]"),
              HasSubstr("stands alone"));
  EXPECT_THAT(problem("client_ids = 3"), HasSubstr("acl.toml:1:14: the client ids are a table"));
  EXPECT_THAT(problem("[client_ids]\nann = 3"), HasSubstr("acl.toml:2:7: the client id of \"ann\" must be"));
  EXPECT_THAT(problem("precedence = \"last\""), HasSubstr("acl.toml:1:14: \"precedence\" is \"deny\""));
  EXPECT_THAT(problem("[[rule]]\nallow = \"all\"\nfilters = \"a\""),
              HasSubstr("acl.toml:3:11: \"filters\" is about the text of a SUBSCRIBE"));
  EXPECT_THAT(problem("[[rule]"), HasSubstr("acl.toml:1:"));
  // toml++ asserts on these.
  EXPECT_THAT(problem("[[=]]"), HasSubstr("acl.toml: this is no TOML"));
  EXPECT_THAT(problem("[\n]"), HasSubstr("acl.toml: this is no TOML"));
  EXPECT_THAT(problem("users = [}}"), HasSubstr("acl.toml: this is no TOML"));
}

TEST(TomlAcl, TheFirstRuleThatFitsDecidesWhereTheFileSaysSo) {
  const AccessRules rules = toml(R"(
precedence = "first"
[[rule]]
users = "ann"
allow = "publish"
topics = "plant/1/#"
[[rule]]
deny = "publish"
topics = "plant/#"
[[rule]]
users = "ann"
allow = "all"
topics = "#"
)");
  EXPECT_TRUE(rules.decide(kPublish, who("c", "ann"), "plant/1/x").is_allowed);
  const Decision denied = rules.decide(kPublish, who("c", "ann"), "plant/2");
  EXPECT_FALSE(denied.is_allowed);
  EXPECT_EQ(rules.place(denied.line), "acl.toml:7");
  EXPECT_TRUE(rules.decide(kReceive, who("c", "ann"), "plant/2").is_allowed);
  EXPECT_FALSE(rules.decide(kReceive, who("c", "bob"), "plant/2").is_allowed) << "no rule at all";
}

TEST(TomlAcl, AUserMayBeBoundToAClientId) {
  const AccessRules rules = toml("[client_ids]\nann = \"pump-1\"\n\"a b\" = \"x\"\n");
  EXPECT_EQ(rules.bound_client_id("ann"), "pump-1");
  EXPECT_EQ(rules.bound_client_id("a b"), "x");
  EXPECT_EQ(rules.bound_client_id("bob"), "");
}

TEST(TomlAcl, FiltersAreAboutTheTextOfASubscribe) {
  const AccessRules rules = toml(R"(
precedence = "first"
[[rule]]
allow = "subscribe"
filters = "a/+"
[[rule]]
deny = "subscribe"
filters = ["*+*", "*#*"]
[[rule]]
allow = "all"
topics = "a/#"
)");
  const auto may = [&rules](std::string_view filter) {
    return rules.decide(kSubscribe, who("c"), filter).is_allowed;
  };
  EXPECT_TRUE(may("a/+"));
  EXPECT_FALSE(may("a/+/b"));
  EXPECT_FALSE(may("a/#"));
  EXPECT_TRUE(may("a/b"));
  EXPECT_FALSE(may("b"));
  EXPECT_TRUE(rules.decide(kReceive, who("c"), "a/b").is_allowed);
}

TEST(Glob, StarStandsForAnyText) {
  EXPECT_TRUE(matches_glob("pump-*", "pump-"));
  EXPECT_TRUE(matches_glob("*-*x", "a-b-cx"));
  EXPECT_FALSE(matches_glob("*-*x", "a-b-c"));
  EXPECT_FALSE(matches_glob("pump", "pump1"));
  EXPECT_TRUE(matches_glob("**", ""));
}

// ---- the compiled rules say what the text says ----

// What a rule says of a topic, read plainly.
struct PlainRule {
  std::string filter;
  bool is_denied = false;
  std::uint8_t actions = kPublish | kReceive;
};

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

bool plain_match(const PlainRule& rule, const broker::ClientIdentity& client, std::string_view topic) {
  const bool has_user = rule.filter.find("%u") != std::string::npos;
  if (has_user && client.user_name.empty()) return false;
  // '$' of a name stands for no system topic.
  if (topic.starts_with('$') && !rule.filter.starts_with('$')) return false;
  return mqtt::matches(replaced(replaced(rule.filter, "%c", client.client_id), "%u", client.user_name),
                       topic);
}

bool plain_decision(const std::vector<PlainRule>& rules, Action action, const broker::ClientIdentity& client,
                    std::string_view topic) {
  bool is_allowed = false;
  for (const PlainRule& rule : rules) {
    if ((rule.actions & action) == 0 || !plain_match(rule, client, topic)) continue;
    if (rule.is_denied) return false;
    is_allowed = true;
  }
  return is_allowed;
}

std::string joined(const std::vector<std::string>& levels) {
  std::string text;
  for (std::size_t i = 0; i < levels.size(); ++i) text += (i == 0 ? "" : "/") + levels[i];
  return text;
}

rc::Gen<std::string> topics(std::vector<std::string> of) {
  return rc::gen::map(
      rc::gen::resize(
          5, rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(of)))),
      joined);
}

rc::Gen<PlainRule> plain_rules() {
  const auto filter = rc::gen::map(
      rc::gen::pair(topics({"a", "b", "", "+", "%c", "%u", "x%c", "%u-%c", "$S"}),
                    rc::gen::arbitrary<bool>()),
      [](const std::pair<std::string, bool>& made) { return made.second ? made.first + "/#" : made.first; });
  return rc::gen::build<PlainRule>(
      rc::gen::set(&PlainRule::filter, filter), rc::gen::set(&PlainRule::is_denied),
      rc::gen::set(&PlainRule::actions,
                   rc::gen::element<std::uint8_t>(kPublish, kReceive, kPublish | kReceive)));
}

std::string as_patterns(const std::vector<PlainRule>& rules) {
  std::string text;
  for (const PlainRule& rule : rules) {
    const std::string_view access = rule.is_denied             ? "deny"
                                    : rule.actions == kPublish ? "write"
                                    : rule.actions == kReceive ? "read"
                                                               : "readwrite";
    text += "pattern " + std::string(access) + " " + rule.filter + "\n";
  }
  return text;
}

TEST(AccessRules, DecideAsAPlainReadingOfTheLinesDoes) {
  const bool holds = rc::check("compiled and plain rules agree", [] {
    auto rules = *rc::gen::container<std::vector<PlainRule>>(plain_rules());
    std::erase_if(rules, [](const PlainRule& rule) { return rule.filter.empty(); });
    for (PlainRule& rule : rules) {
      if (rule.is_denied) rule.actions = kPublish | kReceive;  // Mosquitto's "deny" knows no less
    }
    const AccessRules compiled = mosquitto(as_patterns(rules));
    const std::string topic = *topics({"a", "b", "", "xa", "b-a", "$S"});
    RC_PRE(!topic.empty());
    const std::string user = *rc::gen::element<std::string>("", "b", "b/a");
    const std::string id = *rc::gen::element<std::string>("a", "a/b", "/");
    const broker::ClientIdentity client = who(id, user);
    for (const Action action : {kPublish, kReceive}) {
      RC_ASSERT(compiled.decide(action, client, topic).is_allowed ==
                plain_decision(rules, action, client, topic));
    }
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace nightjar::auth
