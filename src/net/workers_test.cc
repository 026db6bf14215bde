// The real core behind real sockets and threads.
#include "net/workers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>

#include "mqtt/writer.h"
#include "net/fake_broker_test.h"
#include "net/five_byte_frames_test.h"
#include "net/system_clock.h"

namespace nightjar::net {
namespace {

using mqtt::Version;
using testing::HasSubstr;

// Bounds how long a test waits for something that must come; never reached when all is well.
constexpr int kPatienceMs = 20'000;

// Everybody may do everything, nothing is kept.
struct OpenPorts final : broker::Authenticator, broker::Authorizer, broker::Store, broker::Entropy {
  struct Allow final : broker::AuthExchange {
    void start(const broker::AuthRequest&, Done done) override {
      done({.kind = broker::AuthVerdict::Kind::kAllow});
    }
    void proceed(ByteView, Done done) override { done({}); }
  };
  std::unique_ptr<broker::AuthExchange> open(std::string_view) override { return std::make_unique<Allow>(); }
  bool may_publish(const broker::ClientIdentity&, std::string_view, mqtt::Qos, bool) override { return true; }
  bool may_subscribe(const broker::ClientIdentity&, std::string_view) override { return true; }
  bool may_receive(const broker::ClientIdentity&, std::string_view) override { return true; }
  [[nodiscard]] bool checks_receive() const override { return false; }
  [[nodiscard]] bool is_volatile() const override { return true; }
  void announce(std::shared_ptr<broker::Commit>) override {}
  [[nodiscard]] bool ready(broker::Commit&) override { return true; }
  [[nodiscard]] broker::CommitNumber committed(broker::WorkerIndex) const override { return 0; }
  [[nodiscard]] bool is_busy() const override { return false; }
  [[nodiscard]] bool is_refusing() const override { return false; }
  void read(broker::WorkerIndex, broker::Table, std::string, std::string, std::size_t,
            broker::ReadDone) override {}
  std::uint64_t next() override { return ++last_; }
  std::atomic<std::uint64_t> last_{0};
};

std::string text_of(const ByteBuffer& bytes) { return std::string(as_text(bytes.view())); }

std::string connect_packet(std::string_view client_id, Version version = Version::k5) {
  ByteBuffer out;
  mqtt::write_connect(out, {.version = version, .client_id = client_id});
  return text_of(out);
}
std::string subscribe_packet(std::string_view filter) {
  ByteBuffer out;
  const std::array requests{mqtt::SubscriptionRequest{.filter = filter}};
  mqtt::write_subscribe(out, Version::k5, {1}, requests);
  return text_of(out);
}
std::string publish_packet(std::string_view topic, std::string_view payload) {
  ByteBuffer out;
  mqtt::write_publish(out, Version::k5, {.topic = topic, .payload = as_bytes(payload)});
  return text_of(out);
}

// Reads until `text` has come, the stream ends or patience does.
std::string read_until(Client& client, std::string_view text) {
  std::string got;
  while (got.find(text) == std::string::npos && !client.saw_end && !client.saw_reset) {
    pollfd readable{.fd = client.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, kPatienceMs) <= 0) break;
    got += client.read_available();
  }
  return got;
}

// The same for a stream of frames.
std::string read_plain_until(Client& client, FiveByteFrames& decoder, std::string_view text) {
  std::string got;
  while (got.find(text) == std::string::npos && !client.saw_end && !client.saw_reset) {
    pollfd readable{.fd = client.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, kPatienceMs) <= 0) break;
    EXPECT_TRUE(decoder.receive(as_bytes(client.read_available())));
    while (decoder.has_plain()) got += as_text(decoder.next_plain());
  }
  return got;
}

constexpr std::string_view kConnack = "\x20";

struct WorkersTest : testing::Test {
  std::uint16_t listen(FilterFactory filter = {}) {
    const auto bound =
        workers.listen(addresses_of("127.0.0.1", 0).value().front(), policy, std::move(filter));
    EXPECT_TRUE(bound.has_value());
    return bound->port();
  }
  // On the worker, between two events.
  template <typename Ask>
  auto ask(std::uint16_t worker, Ask question) {
    auto answer = std::make_shared<std::promise<decltype(question(std::declval<broker::Worker&>()))>>();
    auto future = answer->get_future();
    mail->run_on({worker}, [answer, question](broker::Worker& asked) { answer->set_value(question(asked)); });
    return future.get();
  }
  std::uint64_t migrations() {
    const auto count = [](broker::Worker& worker) { return worker.counters().migrations; };
    return ask(0, count) + ask(1, count);
  }

  OpenPorts ports;
  SystemClock clock;
  broker::ListenerPolicy policy;
  std::unique_ptr<MailRoom> mail = std::move(MailRoom::open(2).value());
  broker::Node node{broker::NodePolicy{.sys_interval = {}}, {clock, *mail, ports, ports, ports, ports}, 2};
  Workers workers{node, *mail};
};

TEST_F(WorkersTest, TasksRunOnTheirWorkersThread) {
  workers.start();
  const auto thread = [](broker::Worker&) { return std::this_thread::get_id(); };
  const auto first = ask(0, thread);
  EXPECT_NE(first, std::this_thread::get_id());
  EXPECT_NE(first, ask(1, thread));
  EXPECT_EQ(ask(1, [](broker::Worker& worker) { return worker.index().value; }), 1);
}

// About half of the clients arrive on another worker than their home, with more packets behind CONNECT.
TEST_F(WorkersTest, ClientsReachTheirHomeWithWhatTheySentBehindConnect) {
  const std::uint16_t port = listen();
  workers.start();
  for (int i = 0; i < 20; ++i) {
    const std::string id = "client" + std::to_string(i);
    Client client{port};
    client.send(connect_packet(id) + subscribe_packet(id) + publish_packet(id, "to " + id));
    EXPECT_THAT(read_until(client, "to " + id), HasSubstr("to " + id));
  }
  EXPECT_GT(migrations(), 0u);
}

TEST_F(WorkersTest, APacketMaySpanTheMove) {
  const std::uint16_t port = listen();
  workers.start();
  for (int i = 0; i < 20; ++i) {
    const std::string id = "client" + std::to_string(i);
    Client client{port};
    const std::string rest = subscribe_packet(id) + publish_packet(id, "to " + id);
    client.send(connect_packet(id) + rest.substr(0, 5));
    EXPECT_THAT(read_until(client, kConnack), HasSubstr(kConnack));
    client.send(rest.substr(5));
    EXPECT_THAT(read_until(client, "to " + id), HasSubstr("to " + id));
  }
  EXPECT_GT(migrations(), 0u);
}

TEST_F(WorkersTest, BytesInsideAFilterMoveToo) {
  const std::uint16_t port = listen([](const Address&) { return std::make_unique<FiveByteFrames>(); });
  workers.start();
  for (int i = 0; i < 20; ++i) {
    const std::string id = "client" + std::to_string(i);
    Client client{port};
    const std::string plain = connect_packet(id) + subscribe_packet(id) + publish_packet(id, "DATA");
    const std::string wire = FiveByteFrames::frames(plain);
    client.send(wire.substr(0, wire.size() - 2));
    FiveByteFrames decoder;
    EXPECT_THAT(read_plain_until(client, decoder, kConnack), HasSubstr(kConnack));
    client.send(wire.substr(wire.size() - 2));
    EXPECT_THAT(read_plain_until(client, decoder, "DATA"), HasSubstr("DATA"));
  }
  EXPECT_GT(migrations(), 0u);
}

TEST_F(WorkersTest, MessagesGoFromWorkerToWorker) {
  const std::uint16_t port = listen();
  workers.start();
  std::vector<std::unique_ptr<Client>> subscribers;
  for (int i = 0; i < 8; ++i) {
    subscribers.push_back(std::make_unique<Client>(port));
    subscribers.back()->send(connect_packet("sub" + std::to_string(i)) + subscribe_packet("news"));
    read_until(*subscribers.back(), "\x90");  // SUBACK
  }
  Client publisher{port};
  publisher.send(connect_packet("pub") + publish_packet("news", "hear ye"));
  for (const auto& subscriber : subscribers) {
    EXPECT_THAT(read_until(*subscriber, "hear ye"), HasSubstr("hear ye"));
  }
}

TEST_F(WorkersTest, DrainSaysGoodbyeAndClosesEverything) {
  const std::uint16_t port = listen();
  workers.start();
  Client modern{port};
  modern.send(connect_packet("modern"));
  read_until(modern, kConnack);
  Client old{port};
  old.send(connect_packet("old", Version::k311));
  read_until(old, kConnack);
  Client stranger{port};
  EXPECT_EQ(ask(0, [](broker::Worker&) { return true; }), true);

  workers.begin_drain();
  EXPECT_THAT(read_until(modern, "\x8b"), HasSubstr("\xe0"));
  modern.close();
  read_until(old, "nothing");
  EXPECT_TRUE(old.saw_end);
  old.close();
  read_until(stranger, "nothing");
  EXPECT_TRUE(stranger.saw_end || stranger.saw_reset);
  stranger.close();
  EXPECT_TRUE(workers.wait_until_quiet(Duration{kPatienceMs}));
  workers.stop();
}

TEST_F(WorkersTest, ADrainDoesNotWaitForEverForAClientThatDoesNotClose) {
  const std::uint16_t port = listen();
  workers.start();
  Client stubborn{port};
  stubborn.send(connect_packet("stubborn"));
  read_until(stubborn, kConnack);
  workers.begin_drain();
  EXPECT_FALSE(workers.wait_until_quiet(Duration{50})) << "it is given a moment";
  EXPECT_TRUE(workers.wait_until_quiet(Duration{kPatienceMs}));
}

TEST_F(WorkersTest, EndsWithConnectionsOpen) {
  const std::uint16_t port = listen();
  workers.start();
  Client client{port};
  client.send(connect_packet("open") + subscribe_packet("x"));
  read_until(client, "\x90");
  workers.stop();
  // The leak checker and the destructors are the judges.
}

TEST_F(WorkersTest, AnAddressIsTakenUpChangedAndGivenBackWhileItServes) {
  const std::uint16_t port = listen();
  workers.start();
  Client first{port};
  first.send(connect_packet("first"));
  read_until(first, kConnack);

  const Address any = addresses_of("127.0.0.1", 0).value().front();
  const Endpoint* extra = &workers.listen(workers.bind(any, policy).value());
  const std::uint16_t extra_port = extra->address.port();
  Client second{extra_port};
  second.send(connect_packet("second"));
  EXPECT_THAT(read_until(second, kConnack), HasSubstr(std::string(kConnack)));

  broker::ListenerPolicy strict;
  strict.packet_bytes_max = 4242;
  extra = &workers.change(*extra, strict);
  EXPECT_EQ(extra->address.port(), extra_port);
  Client third{extra_port};
  third.send(connect_packet("third"));
  EXPECT_THAT(read_until(third, kConnack), HasSubstr(std::string("\x27\x00\x00\x10\x92", 5)))
      << "Maximum Packet Size of the new policy";

  const Address given_back = extra->address;
  workers.close(*extra);
  EXPECT_TRUE(workers.bind(given_back, policy).has_value()) << "the address is free again";
  second.send(subscribe_packet("still/here"));
  EXPECT_THAT(read_until(second, "\x90"), HasSubstr("\x90"));
}

TEST_F(WorkersTest, APortInUseIsRefused) {
  const std::uint16_t port = listen();
  const auto again = workers.listen(addresses_of("127.0.0.1", port).value().front(), policy);
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error().message, HasSubstr("held by process"));
}

}  // namespace
}  // namespace nightjar::net
