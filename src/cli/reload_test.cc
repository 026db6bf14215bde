#include "cli/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nightjar::cli {
namespace {

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
    void commit() override { target.served.push_back(to); }
    FakeTarget& target;
    std::uint16_t to;
  };
  Result<std::unique_ptr<Prepared>> prepare(const config::Config& config) override {
    if (++prepared == failing_prepare) return fail("the port is held");
    return std::make_unique<Ready>(*this, config.listeners.front().port);
  }
  Result<void> check_health() override {
    if (is_sick) return fail("nobody answers on 127.0.0.1:2");
    return {};
  }
  std::size_t clients_of(const config::ListenerConfig&) override { return 3; }

  std::vector<std::uint16_t> served;
  int prepared = 0;
  int failing_prepare = 0;
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
  EXPECT_THAT(target.served, ElementsAre(2));
  EXPECT_EQ(reload.current().listeners.front().port, 2);
}

TEST_F(ReloadTest, GoesOnSayingWhatWaitsForARestart) {
  file->node.workers = 7;
  EXPECT_EQ(apply(), "");
  EXPECT_EQ(reload.current().node.workers, 0);
  const config::Change waiting{"node.workers", "0", "7", config::Effect::kRestart};
  EXPECT_THAT(reload.plan()->changes, ElementsAre(waiting));
}

TEST_F(ReloadTest, PlansWithoutDoing) {
  const auto plan = reload.plan();
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->changes,
              ElementsAre(config::Change{"listener.plain", "*:1", "", config::Effect::kClosedListener},
                          config::Change{"listener.plain", "", "*:2", config::Effect::kNewListener}));
  EXPECT_THAT(plan->disconnects, ElementsAre(HasSubstr("3 clients")));
  EXPECT_THAT(target.served, IsEmpty());
  EXPECT_EQ(target.prepared, 0);
}

TEST_F(ReloadTest, AWrongFileChangesNothing) {
  file = tl::make_unexpected(config::Problems{"nightjar.toml:1:1: wrong"});
  EXPECT_THAT(apply(), HasSubstr("wrong"));
  EXPECT_EQ(target.prepared, 0);
  EXPECT_FALSE(reload.plan());
}

TEST_F(ReloadTest, WhatCannotBePreparedChangesNothing) {
  target.failing_prepare = 1;
  EXPECT_THAT(apply(), HasSubstr("held"));
  EXPECT_THAT(target.served, IsEmpty());
  EXPECT_EQ(reload.current().listeners.front().port, 1);
}

TEST_F(ReloadTest, WhatTurnsOutSickIsTakenBack) {
  target.is_sick = true;
  EXPECT_THAT(apply(), HasSubstr("in force again"));
  EXPECT_THAT(target.served, ElementsAre(2, 1));
  EXPECT_EQ(reload.current().listeners.front().port, 1);
}

TEST_F(ReloadTest, WhatCannotEvenBeTakenBackIsSaid) {
  target.is_sick = true;
  target.failing_prepare = 2;
  EXPECT_THAT(apply(), HasSubstr("cannot be taken up again: the port is held"));
}

}  // namespace
}  // namespace nightjar::cli
