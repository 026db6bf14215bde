#include "cli/control_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nightjar::cli {
namespace {

using ::testing::HasSubstr;

struct ControlRoutesTest : ::testing::Test {
  static ControlResponse say(std::string_view what) { return {200, std::string(what)}; }
  const std::vector<ControlRoute> routes{
      {"GET", "/api/v1/clients", [](const auto&, const auto&) { return say("all"); }},
      {"GET", "/api/v1/clients/{id}", [](const auto&, const auto& found) { return say(found[0]); }},
      {"DELETE", "/api/v1/clients/{id}", [](const auto&, const auto& found) { return say(found[0]); }}};
};

TEST_F(ControlRoutesTest, FindsTheHandlerByMethodAndPath) {
  EXPECT_EQ(answer_by(routes, {.path = {"api", "v1", "clients"}}).body, "all");
  EXPECT_EQ(answer_by(routes, {.method = "DELETE", .path = {"api", "v1", "clients", "a/b"}}).body, "a/b");
}

TEST_F(ControlRoutesTest, TellsWhatIsWrong) {
  EXPECT_EQ(answer_by(routes, {.path = {"api", "v1"}}).status, 404U);
  EXPECT_EQ(answer_by(routes, {.path = {}}).status, 404U);
  EXPECT_EQ(answer_by(routes, {.path = {"api", "v1", "clients", "a", "b"}}).status, 404U);
  const ControlResponse wrong = answer_by(routes, {.method = "POST", .path = {"api", "v1", "clients", "a"}});
  EXPECT_EQ(wrong.status, 405U);
  EXPECT_THAT(wrong.body, HasSubstr("GET, DELETE"));
}

}  // namespace
}  // namespace nightjar::cli
