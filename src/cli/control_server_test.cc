#include "cli/control_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "cli/control_socket.h"
#include "tests/support/temp_dir.h"

namespace nightjar::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

struct ControlServerTest : testing::Test {
  static std::string ask(const fs::path& socket, std::string_view request) {
    const auto connection = connect_to(socket);
    if (!connection) return connection.error().message;
    if (const auto sent = send_line(*connection, request); !sent) return sent.error().message;
    const auto answer = receive_line(*connection, kControlAnswerBytesMax);
    return answer ? *answer : answer.error().message;
  }
  static std::string echo(std::string_view request) { return "you said " + std::string(request); }

  test_support::TempDir directory;
  fs::path root = directory.path();
};

TEST_F(ControlServerTest, AnswersOneLineWithOneLine) {
  const auto server = ControlServer::start(root / "nightjar.sock", echo);
  ASSERT_TRUE(server.has_value()) << server.error().message;
  EXPECT_EQ(ask(root / "nightjar.sock", "hello"), "you said hello");
  EXPECT_EQ(ask(root / "nightjar.sock", "again"), "you said again");
}

TEST_F(ControlServerTest, IsForItsOwnerOnlyAndLeavesNothingBehind) {
  const fs::path socket = root / "nightjar.sock";
  {
    const auto server = ControlServer::start(socket, echo);
    EXPECT_EQ(fs::status(socket).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  }
  EXPECT_FALSE(fs::exists(fs::symlink_status(socket)));
}

TEST_F(ControlServerTest, ReplacesTheSocketOfAKilledBroker) {
  { const auto left_behind = listen_at(root / "nightjar.sock"); }
  ASSERT_TRUE(fs::exists(root / "nightjar.sock"));
  EXPECT_THAT(ask(root / "nightjar.sock", "hello"), HasSubstr("no broker runs"));
  const auto server = ControlServer::start(root / "nightjar.sock", echo);
  EXPECT_EQ(ask(root / "nightjar.sock", "hello"), "you said hello");
}

TEST_F(ControlServerTest, WorksInADirectoryWithALongName) {
  const fs::path deep = root / std::string(120, 'd');
  fs::create_directories(deep);
  const auto server = ControlServer::start(deep / "nightjar.sock", echo);
  ASSERT_TRUE(server.has_value()) << server.error().message;
  EXPECT_EQ(ask(deep / "nightjar.sock", "hello"), "you said hello");
}

TEST_F(ControlServerTest, SurvivesAClientThatBreaksOff) {
  const auto server = ControlServer::start(root / "nightjar.sock", echo);
  { const auto rude = connect_to(root / "nightjar.sock"); }
  EXPECT_EQ(ask(root / "nightjar.sock", "hello"), "you said hello");
}

TEST_F(ControlServerTest, ARequestHasABound) {
  const auto server = ControlServer::start(root / "nightjar.sock", echo);
  EXPECT_THAT(ask(root / "nightjar.sock", std::string(2 * kControlRequestBytesMax, 'x')),
              HasSubstr("the control connection"));
  EXPECT_EQ(ask(root / "nightjar.sock", "hello"), "you said hello");
}

TEST_F(ControlServerTest, WithoutABrokerTheFixIsNamed) {
  EXPECT_THAT(ask(root / "nightjar.sock", "hello"),
              AllOf(HasSubstr(root.string()), HasSubstr("nightjar serve --data")));
  EXPECT_THAT(ask(root / "nowhere/nightjar.sock", "hello"), HasSubstr("no broker runs"));
}

}  // namespace
}  // namespace nightjar::cli
