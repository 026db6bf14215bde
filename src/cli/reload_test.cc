#include "cli/reload.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nightjar::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

config::Config with_port(std::uint16_t port) {
  config::Config config;
  config::ListenerConfig listener;
  listener.label = "listener.plain";
  listener.policy.name = "plain";
  listener.port = port;
  config.listeners.push_back(listener);
  return config;
}

// Fails at the step that the test says.
struct FakeTarget final : ReloadTarget {
  struct Ready final : Prepared {
    Ready(FakeTarget& of, std::uint16_t port) : target(of), to(port) {}
    ~Ready() override { --target.held; }
    [[nodiscard]] std::vector<config::Change> file_changes() const override {
      return {{"/passwords", "3 users", "4 users", config::Effect::kAtOnce}};
    }
    [[nodiscard]] std::vector<std::string> departures() override { return {"3 clients"}; }
    void commit() override { target.steps.push_back(fmt::format("commit {}", to)); }
    std::vector<std::string> finish() override {
      target.steps.push_back(fmt::format("finish {}", to));
      return {"2 clients"};
    }
    void roll_back() override { target.steps.push_back(fmt::format("roll back {}", to)); }
    FakeTarget& target;
    std::uint16_t to;
  };
  Result<std::unique_ptr<Prepared>> prepare(const config::Config& config) override {
    if (is_port_held) return fail("the port is held");
    ++held;
    last = config;
    return std::make_unique<Ready>(*this, config.listeners.front().port);
  }
  Result<void> check_health() override {
    if (is_sick) return fail("nobody answers on 127.0.0.1:2");
    return {};
  }

  std::vector<std::string> steps;
  config::Config last;
  int held = 0;  // Prepared that live
  bool is_port_held = false;
  bool is_sick = false;
};

struct ReloadTest : ::testing::Test {
  std::string apply() {
    const auto done = reload.apply();
    return done ? "" : done.error().front();
  }
  Result<config::Config, config::Problems> file = with_port(2);
  FakeTarget target;
  Reload reload{with_port(1), [this] { return file; }, target};
};

TEST_F(ReloadTest, TakesUpWhatTheFileSays) {
  EXPECT_EQ(apply(), "");
  EXPECT_THAT(target.steps, ElementsAre("commit 2", "finish 2"));
  EXPECT_EQ(target.held, 0);
  EXPECT_EQ(reload.current().listeners.front().port, 2);
}

TEST_F(ReloadTest, GoesOnSayingWhatWaitsForARestart) {
  file->node.workers = 7;
  EXPECT_EQ(apply(), "");
  EXPECT_EQ(reload.current().node.workers, 0);
  EXPECT_EQ(target.last.node.workers, 0) << "nobody is asked to do what cannot be done";
  const config::Change waiting{"node.workers", "0", "7", config::Effect::kRestart};
  EXPECT_THAT(reload.plan()->changes, Contains(waiting));
}

TEST_F(ReloadTest, PlansWithoutDoing) {
  const auto plan = reload.plan();
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->changes,
              ElementsAre(config::Change{"listener.plain", "*:1", "", config::Effect::kClosedListener},
                          config::Change{"listener.plain", "", "*:2", config::Effect::kNewListener},
                          config::Change{"/passwords", "3 users", "4 users", config::Effect::kAtOnce}));
  EXPECT_THAT(plan->disconnects, ElementsAre("3 clients"));
  EXPECT_THAT(target.steps, IsEmpty());
  EXPECT_EQ(target.held, 0) << "what was taken for a look is given back";
}

TEST_F(ReloadTest, TellsWhoWasReallyDisconnected) {
  const auto done = reload.apply();
  ASSERT_TRUE(done);
  EXPECT_THAT(done->disconnects, ElementsAre("2 clients"));
}

TEST_F(ReloadTest, AWrongFileChangesNothing) {
  file = tl::make_unexpected(config::Problems{"nightjar.toml:1:1: wrong"});
  EXPECT_THAT(apply(), HasSubstr("wrong"));
  EXPECT_THAT(target.steps, IsEmpty());
  EXPECT_FALSE(reload.plan());
}

TEST_F(ReloadTest, WhatCannotBePreparedChangesNothing) {
  target.is_port_held = true;
  EXPECT_THAT(apply(), HasSubstr("held"));
  EXPECT_THAT(target.steps, IsEmpty());
  EXPECT_FALSE(reload.plan()) << "the plan says so, too";
  EXPECT_EQ(reload.current().listeners.front().port, 1);
}

TEST_F(ReloadTest, WhatTurnsOutSickIsTakenBack) {
  target.is_sick = true;
  EXPECT_THAT(apply(), HasSubstr("in force again"));
  EXPECT_THAT(target.steps, ElementsAre("commit 2", "roll back 2"));
  EXPECT_EQ(reload.current().listeners.front().port, 1);
  target.is_sick = false;
  EXPECT_EQ(apply(), "");
  EXPECT_EQ(reload.current().listeners.front().port, 2);
}

}  // namespace
}  // namespace nightjar::cli
