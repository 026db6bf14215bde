#include "cli/control_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string_view>
#include <vector>

#include "cli/control_socket.h"
#include "tests/support/temp_dir.h"

namespace nightjar::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

struct ControlServerTest : testing::Test {
  static std::string ask(const fs::path& socket, const std::string& word) {
    const auto connection = connect_to(socket);
    if (!connection) return connection.error().message;
    if (const auto sent = send_request(*connection, {.path = {word}}); !sent) return sent.error().message;
    const auto answer = receive_response(*connection);
    return answer ? answer->body : answer.error().message;
  }
  static ControlResponse echo(const ControlRequest& request) { return {200, "you said " + request.path[0]}; }

  test_support::TempDir directory;
  fs::path root = directory.path();
};

TEST_F(ControlServerTest, AnswersOneRequestWithOneResponse) {
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

// What comes back on a connection until its end.
std::string rest_of(const net::Fd& connection) {
  std::string all;
  char chunk[1024];
  for (ssize_t count = 0; (count = ::recv(connection.get(), chunk, sizeof chunk, 0)) > 0;)
    all.append(chunk, static_cast<std::size_t>(count));
  return all;
}

TEST_F(ControlServerTest, WhoSaysNothingHoldsNobodyUpAndIsCutOff) {
  const auto server = ControlServer::start(root / "nightjar.sock", echo);
  const auto silent = connect_to(root / "nightjar.sock");
  const auto slow = connect_to(root / "nightjar.sock");
  ASSERT_GT(::send(slow->get(), "GET /half HT", 12, 0), 0);
  EXPECT_EQ(ask(root / "nightjar.sock", "hello"), "you said hello");
  EXPECT_EQ(rest_of(*silent), "");
  EXPECT_EQ(rest_of(*slow), "");
}

TEST_F(ControlServerTest, WhoDoesNotReadHisAnswerHoldsNobodyUp) {
  const auto server = ControlServer::start(root / "nightjar.sock", [](const ControlRequest& request) {
    return ControlResponse{200, request.path[0] == "much" ? std::string(64 << 20, 'x') : "little"};
  });
  const auto stuck = connect_to(root / "nightjar.sock");
  ASSERT_TRUE(send_request(*stuck, {.path = {"much"}}));
  EXPECT_EQ(ask(root / "nightjar.sock", "hello"), "little");
  EXPECT_EQ(receive_response(*stuck)->body.size(), std::size_t{64} << 20) << "and it can still read it";
}

TEST_F(ControlServerTest, HasRoomForOneMoreHoweverManyAreSilent) {
  const auto server = ControlServer::start(root / "nightjar.sock", echo);
  std::vector<net::Fd> silent;
  for (std::size_t i = 0; i < 3 * kControlClientsMax; ++i) {
    auto connection = connect_to(root / "nightjar.sock");
    ASSERT_TRUE(connection) << connection.error().message;
    silent.push_back(std::move(*connection));
  }
  EXPECT_EQ(ask(root / "nightjar.sock", "hello"), "you said hello");
}

TEST_F(ControlServerTest, WhatCameDuringALongAnswerIsNotLate) {
  std::promise<void> is_asked;
  std::promise<void> may_end;
  const auto server = ControlServer::start(root / "nightjar.sock", [&](const ControlRequest& request) {
    if (request.path[0] == "long") {
      is_asked.set_value();
      may_end.get_future().wait();
    }
    return echo(request);
  });
  const auto patient = connect_to(root / "nightjar.sock");
  ASSERT_TRUE(send_request(*patient, {.path = {"long"}}));
  is_asked.get_future().wait();
  const auto next = connect_to(root / "nightjar.sock");
  ASSERT_TRUE(send_request(*next, {.path = {"hello"}}));
  may_end.set_value();
  EXPECT_EQ(receive_response(*next)->body, "you said hello");
  EXPECT_EQ(receive_response(*patient)->body, "you said long");
}

TEST_F(ControlServerTest, TakesARequestInSinglePieces) {
  const auto server = ControlServer::start(root / "nightjar.sock", echo);
  const auto connection = connect_to(root / "nightjar.sock");
  for (const char byte : std::string_view("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"))
    ASSERT_EQ(::send(connection->get(), &byte, 1, MSG_NOSIGNAL), 1);
  EXPECT_EQ(receive_response(*connection)->body, "you said slow");
}

TEST_F(ControlServerTest, ARequestHasABound) {
  const auto server = ControlServer::start(root / "nightjar.sock", echo);
  EXPECT_THAT(ask(root / "nightjar.sock", std::string(2 * kControlRequestBytesMax, 'x')),
              AnyOf(HasSubstr("the control connection"), HasSubstr("limit")));
  EXPECT_EQ(ask(root / "nightjar.sock", "hello"), "you said hello");
}

TEST_F(ControlServerTest, GivesTheHandlerAllOfTheRequest) {
  ControlRequest seen;
  const auto server = ControlServer::start(root / "nightjar.sock", [&](const ControlRequest& request) {
    seen = request;
    return ControlResponse{409, "{}"};
  });
  const ControlRequest sent{.method = "POST",
                            .path = {"a b/c", "%", "\xc3\xa9"},
                            .query = {{"match", "x&y=z +"}, {"limit", "3"}},
                            .body = std::string(3 * 16384, ' ')};
  const auto connection = connect_to(root / "nightjar.sock");
  ASSERT_TRUE(send_request(*connection, sent));
  EXPECT_EQ(receive_response(*connection)->status, 409U);
  EXPECT_EQ(seen.method, sent.method);
  EXPECT_EQ(seen.path, sent.path);
  EXPECT_EQ(seen.query, sent.query);
  EXPECT_EQ(seen.body, sent.body);
}

TEST_F(ControlServerTest, TellsWhoSpeaksNoHttp) {
  const auto server = ControlServer::start(root / "nightjar.sock", echo);
  const auto connection = connect_to(root / "nightjar.sock");
  ASSERT_GT(::send(connection->get(), "hello\r\n\r\n", 9, 0), 0);
  const auto answer = receive_response(*connection);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 400U);
  EXPECT_THAT(answer->body, HasSubstr("error"));
}

TEST_F(ControlServerTest, WithoutABrokerTheFixIsNamed) {
  EXPECT_THAT(ask(root / "nightjar.sock", "hello"),
              AllOf(HasSubstr(root.string()), HasSubstr("nightjar serve --data")));
  EXPECT_THAT(ask(root / "nowhere/nightjar.sock", "hello"), HasSubstr("no broker runs"));
}

}  // namespace
}  // namespace nightjar::cli
