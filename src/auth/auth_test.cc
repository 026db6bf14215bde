#include <gtest/gtest.h>

#include <optional>

#include "auth/anonymous_auth.h"
#include "auth/open_rules.h"

namespace nightjar::auth {
namespace {

using broker::AuthVerdict;
using mqtt::ReasonCode;

AuthVerdict answer(const broker::AuthRequest& request) {
  AnonymousAuth auth;
  std::optional<AuthVerdict> verdict;
  auth.open("")->start(request, [&](AuthVerdict given) { verdict = std::move(given); });
  return verdict.value_or(AuthVerdict{.reason = "no answer"});
}

TEST(AnonymousAuth, LetsEverybodyInWhereTheListenerAllowsIt) {
  EXPECT_EQ(answer({.listener_allows_anonymous = true}).kind, AuthVerdict::Kind::kAllow);
  EXPECT_EQ(answer({.has_user_name = true, .user_name = "ann", .listener_allows_anonymous = true}).kind,
            AuthVerdict::Kind::kAllow);
}

TEST(AnonymousAuth, TakesAnUnprovenUserNameForNothing) {
  EXPECT_EQ(
      answer({.has_user_name = true, .user_name = "admin", .listener_allows_anonymous = true}).user_name, "");
}

TEST(AnonymousAuth, RefusesElsewhereWithTheCodeThatFits) {
  EXPECT_EQ(answer({}).kind, AuthVerdict::Kind::kRefuse);
  EXPECT_EQ(answer({}).code, ReasonCode::kNotAuthorized);
  EXPECT_EQ(answer({.has_user_name = true, .user_name = "ann"}).code, ReasonCode::kBadUserNameOrPassword);
}

TEST(AnonymousAuth, KnowsNoEnhancedMethod) { EXPECT_EQ(AnonymousAuth{}.open("SCRAM-SHA-256"), nullptr); }

TEST(AnonymousAuth, RefusesAnAuthPacketThatNobodyAskedFor) {
  std::optional<AuthVerdict> verdict;
  AnonymousAuth{}.open("")->proceed({}, [&](AuthVerdict given) { verdict = std::move(given); });
  ASSERT_TRUE(verdict.has_value());
  EXPECT_EQ(verdict->kind, AuthVerdict::Kind::kRefuse);
  EXPECT_EQ(verdict->code, ReasonCode::kProtocolError);
}

TEST(OpenRules, KeepsOnlySysForTheBroker) {
  OpenRules rules;
  EXPECT_TRUE(rules.may_publish({}, "a/b", mqtt::Qos::kAtMostOnce, true));
  EXPECT_TRUE(rules.may_publish({}, "$SYSTEM", mqtt::Qos::kAtMostOnce, false));
  EXPECT_FALSE(rules.may_publish({}, "$SYS", mqtt::Qos::kAtMostOnce, false));
  EXPECT_FALSE(rules.may_publish({}, "$SYS/broker/uptime", mqtt::Qos::kAtMostOnce, false));
  EXPECT_TRUE(rules.may_subscribe({}, "$SYS/#"));
  EXPECT_TRUE(rules.may_receive({}, "$SYS/broker/uptime"));
  EXPECT_FALSE(rules.checks_receive());
}

}  // namespace
}  // namespace nightjar::auth
