#include "net/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "base/log.h"
#include "net/fake_broker_test.h"

namespace nightjar::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string>& log_lines() {
  static std::vector<std::string> lines;
  return lines;
}

// Lets this process open only as many more files as `spare`, and puts the limit back at the end.
class FileLimit {
 public:
  explicit FileLimit(rlim_t spare) {
    ::getrlimit(RLIMIT_NOFILE, &old_);
    const Fd next{::dup(0)};  // the lowest free number
    const rlimit lowered{.rlim_cur = static_cast<rlim_t>(next.get()) + spare, .rlim_max = old_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &lowered);
  }
  ~FileLimit() { ::setrlimit(RLIMIT_NOFILE, &old_); }

 private:
  rlimit old_{};
};

struct ListenerTest : testing::Test {
  ListenerTest() {
    log_lines().clear();
    log::set_sink([](log::Level, std::string_view message, std::span<const log::Field>) {
      log_lines().emplace_back(message);
    });
  }
  ~ListenerTest() override { log::set_sink(nullptr); }
};

TEST_F(ListenerTest, AcceptsSeveralConnectionsInOneTurn) {
  FakeWorker worker;
  const Client a{worker.port()};
  const Client b{worker.port()};
  const Client c{worker.port()};
  worker.turn(Duration{100});
  EXPECT_EQ(worker.broker.connections.size(), 3u);
}

TEST_F(ListenerTest, ConnectionsSendWithoutDelay) {
  auto address = addresses_of("127.0.0.1", 0).value().front();
  const auto sockets = bind_sockets(address, 1).value();
  const Client client{address.port()};
  const Fd accepted{::accept(sockets.front().get(), nullptr, nullptr)};
  int no_delay = 0;
  socklen_t size = sizeof no_delay;
  ::getsockopt(accepted.get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &size);
  EXPECT_NE(no_delay, 0) << "inherited from the listening socket";
}

TEST_F(ListenerTest, EveryWorkerGetsASocketOnTheSamePort) {
  auto address = addresses_of("127.0.0.1", 0).value().front();
  const auto sockets = bind_sockets(address, 4);
  ASSERT_TRUE(sockets.has_value());
  EXPECT_EQ(sockets->size(), 4u);
  EXPECT_NE(address.port(), 0);
}

TEST_F(ListenerTest, ServesIpv6) {
  // A port that the system gives for one family may be somebody else's in the other; not ten in a row.
  bool is_v4_free = false;
  for (int attempt = 0; attempt < 10 && !is_v4_free; ++attempt) {
    auto address = addresses_of("::1", 0).value().front();
    const auto sockets = bind_sockets(address, 2);
    if (!sockets) GTEST_SKIP() << sockets.error().message;
    EXPECT_NE(address.port(), 0);
    // The IPv4 side of the same port stays free for its own socket.
    auto v4 = addresses_of("127.0.0.1", address.port()).value().front();
    is_v4_free = bind_sockets(v4, 2).has_value();
  }
  EXPECT_TRUE(is_v4_free);
}

TEST_F(ListenerTest, ABusyPortNamesItsHolder) {
  auto address = addresses_of("127.0.0.1", 0).value().front();
  const auto ours = bind_sockets(address, 2).value();
  auto again = address;
  const auto refused = bind_sockets(again, 2);
  ASSERT_FALSE(refused.has_value()) << "a second broker on the port";
  EXPECT_THAT(refused.error().message, HasSubstr("process " + std::to_string(::getpid())));
  EXPECT_THAT(refused.error().message, HasSubstr("127.0.0.1:" + std::to_string(address.port())));
}

TEST_F(ListenerTest, AForeignAddressIsExplained) {
  auto address = addresses_of("192.0.2.1", 0).value().front();  // for documentation; nobody has it
  const auto refused = bind_sockets(address, 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("does not have that address"));
}

TEST_F(ListenerTest, WithoutFreeDescriptorsAcceptingPausesAndSaysSoOnce) {
  FakeWorker worker;
  const Client first{worker.port()};
  const Client second{worker.port()};
  const FileLimit limit{1};
  worker.turn(Duration{100});
  worker.turn();
  EXPECT_EQ(worker.broker.connections.size(), 1u);
  EXPECT_FALSE(worker.turn(Duration{10})) << "the waiting connection does not keep the loop busy";
  worker.now = worker.now + kAcceptPause;
  worker.turn();
  worker.turn(Duration{100});
  EXPECT_FALSE(worker.turn(Duration{10})) << "it tried again, and pauses again";
  EXPECT_THAT(log_lines(), ElementsAre(HasSubstr("RLIMIT_NOFILE")));
  EXPECT_THAT(log_lines().front(), HasSubstr("LimitNOFILE="));
}

TEST_F(ListenerTest, AcceptingResumesWhenAConnectionCloses) {
  FakeWorker worker;
  const Client first{worker.port()};
  const Client second{worker.port()};
  const FileLimit limit{1};
  worker.turn(Duration{100});
  ASSERT_EQ(worker.broker.connections.size(), 1u);
  worker.first().transport.reset();
  EXPECT_TRUE(worker.run_until([&] { return worker.broker.connections.size() == 2; }));
}

TEST_F(ListenerTest, SaysWhenThereIsRoomAgain) {
  FakeWorker worker;
  const Client first{worker.port()};
  const Client second{worker.port()};
  {
    const FileLimit limit{1};
    worker.turn(Duration{100});
  }
  worker.now = worker.listener->next_deadline();
  EXPECT_TRUE(worker.run_until([&] { return log_lines().size() == 2; }));
  EXPECT_THAT(log_lines().back(), HasSubstr("again"));
}

TEST_F(ListenerTest, AcceptingResumesAfterAWhile) {
  FakeWorker worker;
  const Client first{worker.port()};
  const Client second{worker.port()};
  {
    const FileLimit limit{1};
    worker.turn(Duration{100});
  }
  worker.turn(Duration{10});
  EXPECT_EQ(worker.broker.connections.size(), 1u);
  worker.now = worker.listener->next_deadline();
  EXPECT_TRUE(worker.run_until([&] { return worker.broker.connections.size() == 2; }));
}

TEST_F(ListenerTest, SaysNothingWhileThereIsRoom) {
  FakeWorker worker;
  const Client client{worker.port()};
  worker.turn(Duration{100});
  EXPECT_THAT(log_lines(), IsEmpty());
}

}  // namespace
}  // namespace nightjar::net
