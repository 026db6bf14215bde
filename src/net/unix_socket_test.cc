#include "net/unix_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "net/fake_broker_test.h"
#include "net/unix_connection.h"

namespace nightjar::net {
namespace {

using testing::HasSubstr;

struct UnixSocketTest : testing::Test {
  UnixSocketTest() { std::filesystem::create_directories(directory); }
  ~UnixSocketTest() override { std::filesystem::remove_all(directory); }

  std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("nightjar-unix-" + std::to_string(::getpid()));
  std::string path = directory / "x.sock";
};

bool exists(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0;
}

// -1 if nobody listens.
Fd connect_to(const std::string& path) {
  const Address address = unix_address(path).value();
  Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (::connect(fd.get(), address.raw(), address.size) != 0) fd.reset();
  return fd;
}

TEST_F(UnixSocketTest, HasItsModeAndGoesWithItsObject) {
  {
    const auto bound = bind_unix_socket(path, 0640);
    ASSERT_TRUE(bound.has_value()) << bound.error().message;
    struct stat made {};
    ASSERT_EQ(::stat(path.c_str(), &made), 0);
    EXPECT_EQ(made.st_mode & 0777, 0640u);
  }
  EXPECT_FALSE(exists(path));
}

TEST_F(UnixSocketTest, WhatADeadProcessLeftIsReplaced) {
  {
    const Fd dead{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const Address address = unix_address(path).value();
    ASSERT_EQ(::bind(dead.get(), address.raw(), address.size), 0);
    ASSERT_EQ(::listen(dead.get(), 1), 0);
  }
  ASSERT_TRUE(exists(path));
  EXPECT_TRUE(bind_unix_socket(path, 0600).has_value());
}

TEST_F(UnixSocketTest, WhereSomebodyListensNothingIsTouched) {
  const auto first = bind_unix_socket(path, 0600);
  ASSERT_TRUE(first.has_value());
  ASSERT_EQ(::listen(first->socket.get(), 1), 0);
  const auto second = bind_unix_socket(path, 0600);
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message, HasSubstr("another process listens there"));
  EXPECT_TRUE(connect_to(path));
}

TEST_F(UnixSocketTest, AFileThatIsNoSocketIsLeftAlone) {
  std::ofstream(path) << "precious";
  const auto bound = bind_unix_socket(path, 0600);
  ASSERT_FALSE(bound.has_value());
  EXPECT_THAT(bound.error().message, HasSubstr("is no socket"));
  EXPECT_TRUE(exists(path));
}

TEST_F(UnixSocketTest, AFileThatSomebodyElsePutThereIsLeftAlone) {
  auto bound = bind_unix_socket(path, 0600);
  ASSERT_TRUE(bound.has_value());
  ::unlink(path.c_str());
  std::ofstream(path) << "precious";
  bound->file.reset();
  EXPECT_TRUE(exists(path));
}

TEST_F(UnixSocketTest, KnowsWhetherItsFileIsThere) {
  const auto bound = bind_unix_socket(path, 0600);
  ASSERT_TRUE(bound.has_value());
  EXPECT_TRUE(bound->file->is_there());
  ::unlink(path.c_str());
  EXPECT_FALSE(bound->file->is_there());
  std::ofstream(path) << "another";
  EXPECT_FALSE(bound->file->is_there());
}

TEST_F(UnixSocketTest, AnImpossiblePathIsExplained) {
  EXPECT_THAT(bind_unix_socket(directory / "no" / "x.sock", 0600).error().message,
              HasSubstr("does not exist"));
  EXPECT_THAT(unix_address(std::string(108, 'x')).error().message, HasSubstr("1 to 107 bytes"));
  EXPECT_TRUE(unix_address(std::string(107, 'x')).has_value());
  EXPECT_FALSE(unix_address("").has_value());
  EXPECT_EQ(AddressText(unix_address("/run/x.sock").value()).view(), "unix:/run/x.sock");
}

TEST_F(UnixSocketTest, TheKernelSaysWhoIsAtTheOtherEnd) {
  FakeWorker worker;
  auto bound = bind_unix_socket(path, 0600);
  ASSERT_TRUE(bound.has_value());
  worker.endpoint.address = unix_address(path).value();
  auto sockets = share_socket(std::move(bound->socket), worker.endpoint.address, 1);
  ASSERT_TRUE(sockets.has_value());
  worker.listener = std::make_unique<Listener>(*worker.loop, worker.broker, worker.endpoint,
                                               std::move(sockets->front()), worker.shortage);
  worker.listener->set_accepting(true);
  const Fd client = connect_to(path);
  ASSERT_TRUE(client);
  FakeConnection& connection = worker.accept_one();
  EXPECT_EQ(connection.transport->peer(), "unix:" + path + " uid " + std::to_string(::getuid()));
  ASSERT_NE(connection.transport->proof(), nullptr);
  EXPECT_EQ(connection.transport->proof()->unix_user, ::getuid());
  EXPECT_FALSE(connection.transport->proof()->has_certificate);
  ASSERT_EQ(::send(client.get(), "hello", 5, 0), 5);
  EXPECT_TRUE(worker.run_until([&] { return connection.received == "hello"; }));
}

}  // namespace
}  // namespace nightjar::net
