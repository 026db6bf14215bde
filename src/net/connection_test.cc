#include "net/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <memory>

#include "net/fake_broker_test.h"

namespace nightjar::net {
namespace {

using broker::TransportEnd;
using testing::HasSubstr;

// More than the socket buffers of both sides hold.
constexpr std::size_t kManyBytes = 16 * 1024 * 1024;

struct ConnectionTest : testing::Test {
  FakeConnection& accepted() { return worker.accept_one(); }
  bool is_received(const FakeConnection& connection, std::string_view text) {
    return worker.run_until([&] { return connection.received == text; });
  }
  // Reads until the end, letting the worker work.
  std::string read_all() {
    std::string text;
    worker.run_until([&] {
      text += client.read_available();
      return client.saw_end || client.saw_reset;
    });
    return text;
  }

  FakeWorker worker;
  Client client{worker.port()};
};

TEST_F(ConnectionTest, StaysSmall) {
  // Tens of thousands of idle connections are the normal case. 160 bytes and room for one more pointer.
  EXPECT_LE(sizeof(Connection), 168u);
}

TEST_F(ConnectionTest, DeliversBytesAndNamesThePeer) {
  FakeConnection& connection = accepted();
  client.send("hello");
  EXPECT_TRUE(is_received(connection, "hello"));
  EXPECT_THAT(std::string(connection.transport->peer()), HasSubstr("127.0.0.1:"));
}

TEST_F(ConnectionTest, GathersTheOutputOfATurnIntoOneSend) {
  FakeConnection& connection = accepted();
  connection.say("one ");
  connection.say("two");
  EXPECT_EQ(client.read_available(), "") << "nothing leaves before the turn ends";
  worker.turn();
  EXPECT_EQ(client.read_available(), "one two");
  EXPECT_EQ(connection.transport->unsent_bytes(), 0u);
}

TEST_F(ConnectionTest, HoldsNoMemoryForOutputWhileIdle) {
  FakeConnection& connection = accepted();
  connection.say(std::string(100'000, 'x'));
  worker.run_until([&] { return connection.transport->unsent_bytes() == 0; });
  EXPECT_EQ(connection.transport->output_memory_bytes(), 0u);
}

TEST_F(ConnectionTest, SendsEverythingToASlowReaderAndTellsWhenDrained) {
  FakeConnection& connection = accepted();
  connection.say(std::string(kManyBytes, 'x'));
  worker.turn();
  EXPECT_GT(connection.transport->unsent_bytes(), 0u);
  connection.transport->notify_when_drained(1000);
  worker.turn();
  EXPECT_EQ(connection.drained, 0);
  std::size_t read = 0;
  EXPECT_TRUE(worker.run_until([&] {
    read += client.read_available().size();
    return read == kManyBytes;
  }));
  worker.turn();
  EXPECT_EQ(connection.drained, 1);
  worker.turn();
  EXPECT_EQ(connection.drained, 1) << "asked once, told once";
}

TEST_F(ConnectionTest, RestsWhileTheKernelTakesNoMoreOutput) {
  FakeConnection& connection = accepted();
  connection.say(std::string(kManyBytes, 'x'));
  worker.turn();
  worker.turn();
  EXPECT_FALSE(worker.turn()) << "EPOLLOUT waits for the reader";
}

TEST_F(ConnectionTest, TellsAtOnceWhenNothingWaitsToBeSent) {
  FakeConnection& connection = accepted();
  connection.transport->notify_when_drained(0);
  worker.turn();
  EXPECT_EQ(connection.drained, 1);
}

TEST_F(ConnectionTest, PausedReadingNeitherDeliversNorSpins) {
  FakeConnection& connection = accepted();
  connection.transport->pause_reading();
  client.send("later");
  EXPECT_FALSE(worker.turn(Duration{20}));
  EXPECT_EQ(connection.received, "");
  connection.transport->resume_reading();
  EXPECT_TRUE(is_received(connection, "later"));
}

TEST_F(ConnectionTest, PausedReadingStillNoticesAReset) {
  FakeConnection& connection = accepted();
  connection.transport->pause_reading();
  client.reset();
  EXPECT_TRUE(worker.run_until([&] { return connection.end.has_value(); }));
  EXPECT_EQ(connection.end, TransportEnd::kError);
  EXPECT_FALSE(worker.turn()) << "and is quiet afterwards";
}

TEST_F(ConnectionTest, DeliversTheLastBytesBeforeTheEnd) {
  FakeConnection& connection = accepted();
  client.send("bye");
  client.close();
  EXPECT_TRUE(worker.run_until([&] { return connection.end.has_value(); }));
  EXPECT_EQ(connection.received, "bye");
  EXPECT_EQ(connection.end, TransportEnd::kPeerClosed);
  EXPECT_FALSE(worker.turn()) << "and is quiet although the core still holds it";
}

TEST_F(ConnectionTest, ReportsAPeerThatIsGoneWhenSending) {
  FakeConnection& connection = accepted();
  client.reset();
  connection.transport->pause_reading();
  for (int i = 0; i < 10 && !connection.end; ++i) {
    connection.say("anybody there?");
    worker.turn(Duration{20});
  }
  EXPECT_EQ(connection.end, TransportEnd::kError);
}

TEST_F(ConnectionTest, MayBeDestroyedByTheCoreWhileItDelivers) {
  FakeConnection& connection = accepted();
  connection.after_bytes = [](FakeConnection& c) { c.transport.reset(); };
  client.send("die");
  EXPECT_TRUE(worker.run_until([&] { return connection.transport == nullptr; }));
  client.read_available();
  EXPECT_TRUE(client.saw_end || client.saw_reset);
}

// ---- pace ----

constexpr std::uint32_t kPace = 8 * 1024;

struct PacedConnectionTest : testing::Test {
  PacedConnectionTest() {
    worker.policy.outstanding_bytes_max = kPace;
    client = std::make_unique<Client>(worker.port());
  }
  [[nodiscard]] std::size_t waiting_at_the_client() const {
    int count = 0;
    ::ioctl(client->fd(), FIONREAD, &count);
    return static_cast<std::size_t>(count);
  }

  FakeWorker worker;
  std::unique_ptr<Client> client;
};

TEST_F(PacedConnectionTest, NeverHasMoreBytesOnTheirWayThanItsPace) {
  FakeConnection& connection = worker.accept_one();
  client->shrink_buffer();
  constexpr std::size_t kBytes = 300'000;
  connection.say(std::string(kBytes, 'x'));
  std::size_t read = 0;
  std::size_t most = 0;
  EXPECT_TRUE(worker.run_until([&] {
    // In this order: what arrives in between only makes the difference smaller.
    const std::size_t taken = kBytes - connection.transport->unsent_bytes();
    const std::size_t arrived = read + waiting_at_the_client();
    most = std::max(most, taken - std::min(taken, arrived));
    read += client->read_some(500).size();
    return read == kBytes;
  })) << read;
  EXPECT_LE(most, kPace);
  EXPECT_GT(most, 0u);
}

TEST_F(PacedConnectionTest, RestsWhileItsPaceIsReached) {
  FakeConnection& connection = worker.accept_one();
  client->shrink_buffer();
  connection.say(std::string(300'000, 'x'));
  // What the kernels still settle between them takes a few turns; an EPOLLOUT that does not wait for the
  // reader has no end.
  constexpr int kTurnsMax = 1000;
  int turns = 0;
  while (turns < kTurnsMax && worker.turn(Duration{200})) ++turns;
  EXPECT_LT(turns, kTurnsMax);
  EXPECT_GT(connection.transport->unsent_bytes(), 200'000u);
  EXPECT_GE(client->read_some(2000).size(), 1u);
}

TEST_F(PacedConnectionTest, TellsWhenDrained) {
  FakeConnection& connection = worker.accept_one();
  connection.say(std::string(100'000, 'x'));
  connection.transport->notify_when_drained(1000);
  worker.run_until([&] {
    client->read_available();
    return connection.drained != 0;
  });
  EXPECT_EQ(connection.drained, 1);
}

// ---- retire ----

TEST_F(ConnectionTest, RetireSendsWhatIsLeftThenEndsTheStream) {
  FakeConnection& connection = accepted();
  connection.say(std::string(kManyBytes, 'x'));
  connection.retire();
  EXPECT_EQ(read_all().size(), kManyBytes);
  EXPECT_TRUE(client.saw_end);
  client.close();
  EXPECT_TRUE(worker.run_until([&] { return worker.connections.lingering() == 0; }));
}

TEST_F(ConnectionTest, RetireReadsOnSoThatThePeerSeesTheLastWordsAndNoReset) {
  FakeConnection& connection = accepted();
  client.send("unread");
  connection.say("go away");
  connection.retire();
  worker.turn();
  client.send("still talking");
  EXPECT_EQ(read_all(), "go away");
  EXPECT_TRUE(client.saw_end);
  EXPECT_FALSE(client.saw_reset);
}

TEST_F(ConnectionTest, RetireWaitsForThePeersEndOnlyForAWhile) {
  accepted().retire();
  worker.turn();
  worker.turn();
  worker.now = worker.now + kLingerTime;
  EXPECT_EQ(worker.connections.lingering(), 1u);
  worker.now = worker.now + kLingerTick;
  worker.turn();
  EXPECT_EQ(worker.connections.lingering(), 0u);
}

TEST_F(ConnectionTest, RetireGivesAPeerThatDoesNotReadABoundedTime) {
  FakeConnection& connection = accepted();
  connection.say(std::string(kManyBytes, 'x'));
  connection.retire();
  worker.turn();
  EXPECT_EQ(worker.connections.lingering(), 1u);
  worker.now = worker.now + kRetireFlushTime + kLingerTick;
  worker.turn();
  EXPECT_EQ(worker.connections.lingering(), 0u);
}

TEST_F(ConnectionTest, RetireReadsABoundedNumberOfBytes) {
  accepted().retire();
  const std::string flood(kLingerBytesMax / 4, 'x');
  EXPECT_TRUE(worker.run_until([&] {
    [[maybe_unused]] const ssize_t sent =
        ::send(client.fd(), flood.data(), flood.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return worker.connections.lingering() == 0;
  }));
}

TEST_F(ConnectionTest, RetireInsideDeliveryIsSafe) {
  FakeConnection& connection = accepted();
  connection.after_bytes = [](FakeConnection& c) {
    c.say("refused");
    c.retire();
  };
  client.send("garbage");
  EXPECT_EQ(read_all(), "refused");
}

TEST_F(ConnectionTest, RetireAfterThePeersEndStillAnswers) {
  FakeConnection& connection = accepted();
  client.send("ask");
  client.shutdown_write();
  EXPECT_TRUE(worker.run_until([&] { return connection.end.has_value(); }));
  connection.say("answer");
  connection.retire();
  EXPECT_EQ(read_all(), "answer");
  EXPECT_TRUE(worker.run_until([&] { return worker.connections.lingering() == 0; }));
}

TEST_F(ConnectionTest, LingeringConnectionsAreBounded) {
  // The bound is what protects the descriptors; reaching it with real sockets takes two of them each.
  std::vector<std::unique_ptr<Client>> crowd;
  for (std::size_t i = 0; i < kLingeringMax + 3; ++i) {
    crowd.push_back(std::make_unique<Client>(worker.port()));
    EXPECT_TRUE(worker.run_until([&] { return worker.broker.connections.size() == i + 2; }));
    worker.broker.connections.back()->retire();
    worker.turn();
    ASSERT_LE(worker.connections.lingering(), kLingeringMax);
  }
  EXPECT_EQ(worker.connections.lingering(), kLingeringMax);
  crowd.front()->read_available();
  EXPECT_TRUE(crowd.front()->saw_end || crowd.front()->saw_reset);
}

// ---- work that is put off ----

// Lets bytes pass once there is room for it, which the test gives.
class WaitingFilter final : public StreamFilter {
 public:
  explicit WaitingFilter(int& room) : room_(room) {}

  bool receive(ByteView wire) override {
    held_.append(wire);
    if (!has_room_ && room_ > 0) {
      --room_;
      has_room_ = true;
    }
    return true;
  }
  [[nodiscard]] bool has_plain() const override { return has_room_ && !held_.empty(); }
  ByteView next_plain() override {
    plain_.swap(held_);
    held_.clear();
    return plain_.view();
  }
  void send(ByteView plain) override { wire_.append(plain); }
  void finish() override {}
  ByteBuffer& wire() override { return wire_; }
  [[nodiscard]] bool has_put_off() const override { return !has_room_; }

 private:
  int& room_;
  bool has_room_ = false;
  ByteBuffer held_;
  ByteBuffer plain_;
  ByteBuffer wire_;
};

struct WaitingTest : testing::Test {
  void tick() {
    worker.now = worker.now + kRoomTick;
    worker.turn();
  }

  int room = 0;
  FakeWorker worker{0, [this](const Address&) { return std::make_unique<WaitingFilter>(room); }};
  Client first{worker.port()};
};

TEST_F(WaitingTest, WhoComesFirstGoesFirstWhenThereIsRoomAgain) {
  FakeConnection& one = worker.accept_one();
  Client second{worker.port()};
  ASSERT_TRUE(worker.run_until([&] { return worker.broker.connections.size() == 2; }));
  FakeConnection& two = *worker.broker.connections[1];
  first.send("one");
  worker.turn(Duration{100});
  second.send("two");
  worker.turn(Duration{100});
  tick();
  EXPECT_EQ(one.received + two.received, "");
  room = 1;
  tick();
  EXPECT_EQ(one.received, "one");
  tick();
  EXPECT_EQ(two.received, "");
  room = 1;
  tick();
  EXPECT_EQ(two.received, "two");
}

TEST_F(WaitingTest, DoesNotSpin) {
  worker.accept_one();
  first.send("hello");
  worker.turn(Duration{100});
  worker.turn();
  EXPECT_EQ(worker.connections.next_deadline(), worker.now + kRoomTick);
}

TEST_F(WaitingTest, MayEndMeanwhile) {
  FakeConnection& one = worker.accept_one();
  first.send("hello");
  worker.turn(Duration{100});
  one.retire();
  room = 1;
  tick();
  EXPECT_EQ(one.received, "");
  EXPECT_EQ(room, 1);
}

TEST_F(WaitingTest, GoesOnAtAnotherWorker) {
  FakeConnection& one = worker.accept_one();
  first.send("hello");
  worker.turn(Duration{100});
  one.transport->detach();
  FakeWorker other;
  other.take_over(worker);
  room = 1;
  EXPECT_TRUE(other.run_until([&] { return one.received == "hello"; }));
  tick();
  EXPECT_EQ(worker.connections.next_deadline(), kNever) << "nobody waits here any more";
}

// ---- moving ----

struct MoveTest : ConnectionTest {
  void move(FakeConnection& connection) {
    connection.transport->detach();
    other.take_over(worker);
  }

  FakeWorker other;
};

TEST_F(MoveTest, BytesArriveAtTheNewWorkerOnly) {
  FakeConnection& connection = accepted();
  move(connection);
  client.send("hello");
  EXPECT_FALSE(worker.turn(Duration{10}));
  EXPECT_TRUE(other.run_until([&] { return connection.received == "hello"; }));
}

TEST_F(MoveTest, UnsentOutputGoesAlong) {
  FakeConnection& connection = accepted();
  connection.say("CONNACK");
  move(connection);
  worker.turn();
  EXPECT_EQ(client.read_available(), "");
  other.turn();
  EXPECT_EQ(client.read_available(), "CONNACK");
}

TEST_F(MoveTest, APauseGoesAlong) {
  FakeConnection& connection = accepted();
  connection.transport->pause_reading();
  move(connection);
  client.send("later");
  other.turn();
  EXPECT_FALSE(other.turn(Duration{10}));
  connection.transport->resume_reading();
  EXPECT_TRUE(other.run_until([&] { return connection.received == "later"; }));
}

TEST_F(MoveTest, AnEventOfTheSameTurnIsNotDeliveredAfterDetach) {
  FakeConnection& connection = accepted();
  Client second{worker.port()};
  ASSERT_TRUE(worker.run_until([&] { return worker.broker.connections.size() == 2; }));
  FakeConnection& neighbour = *worker.broker.connections[1];
  // Whoever is delivered first takes the other away from this worker.
  connection.after_bytes = [&](FakeConnection&) { neighbour.transport->detach(); };
  neighbour.after_bytes = [&](FakeConnection&) { connection.transport->detach(); };
  client.send("a");
  second.send("b");
  worker.turn(Duration{100});
  EXPECT_EQ(connection.received.size() + neighbour.received.size(), 1u);
}

}  // namespace
}  // namespace nightjar::net
