// A stand-in for the core and one worker's loop around it, so that sockets are tested turn by turn in one
// thread with a clock that the test moves.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/connections.h"
#include "net/event_loop.h"
#include "net/handler.h"
#include "net/listener.h"

namespace nightjar::net {

// What the core would hold for a connection. The network only carries its address around.
struct FakeConnection {
  std::unique_ptr<broker::Transport> transport;
  std::string received;
  std::vector<std::size_t> pieces;  // size of each run of bytes
  std::optional<broker::TransportEnd> end;
  int drained = 0;
  std::function<void(FakeConnection&)> after_bytes;

  broker::Connection& as_owner() { return reinterpret_cast<broker::Connection&>(*this); }
  void say(std::string_view text) {
    transport->output().append(text);
    transport->flush_later();
  }
  void retire() {
    broker::Transport& leaving = *transport;
    leaving.retire(std::move(transport));
  }
};

class FakeBroker final : public Handler {
 public:
  void on_accepted(std::unique_ptr<broker::Transport> transport, const broker::ListenerPolicy&) override {
    connections.push_back(std::make_unique<FakeConnection>());
    connections.back()->transport = std::move(transport);
    connections.back()->transport->attach(connections.back()->as_owner());
  }
  std::span<std::byte> room_for_rest(broker::Connection& /*owner*/) override { return {}; }
  void on_rest(broker::Connection& /*owner*/, std::size_t /*count*/) override {}
  void on_bytes(broker::Connection& owner, ByteView bytes) override {
    FakeConnection& connection = of(owner);
    connection.received += as_text(bytes);
    connection.pieces.push_back(bytes.size());
    if (connection.after_bytes) connection.after_bytes(connection);
  }
  void on_closed(broker::Connection& owner, broker::TransportEnd end) override {
    EXPECT_FALSE(of(owner).end.has_value()) << "the end is told once";
    of(owner).end = end;
  }
  void on_drained(broker::Connection& owner) override { ++of(owner).drained; }

  static FakeConnection& of(broker::Connection& owner) { return reinterpret_cast<FakeConnection&>(owner); }

  std::vector<std::unique_ptr<FakeConnection>> connections;
};

// One worker: turns as WorkerLoop makes them.
struct FakeWorker {
  explicit FakeWorker(std::uint16_t port = 0, FilterFactory filter = {})
      : endpoint{{}, &policy, std::move(filter)} {
    endpoint.address = addresses_of("127.0.0.1", port).value().front();
    auto sockets = bind_sockets(endpoint.address, 1);
    if (!sockets) {
      ADD_FAILURE() << sockets.error().message;
      return;
    }
    listener = std::make_unique<Listener>(*loop, broker, endpoint, std::move(sockets->front()), shortage);
    listener->set_accepting(true);
  }

  // One turn; false if nothing happened within `longest`.
  bool turn(Duration longest = {}) {
    Connections::set_current(&connections);
    const std::size_t events = loop->wait(longest);
    const bool has_work = connections.next_deadline() <= now;
    connections.begin_turn(now);
    if (listener) listener->begin_turn(now, connections.closed_count());
    loop->dispatch();
    connections.finish_turn();
    return events != 0 || has_work;
  }
  // Turns until `condition` holds, but not for ever.
  template <typename Condition>
  bool run_until(Condition condition) {
    for (int i = 0; i < 2000 && !condition(); ++i) turn(Duration{connections.next_deadline() <= now ? 0 : 5});
    return condition();
  }
  // Waits for a client's connection and for quiet after it.
  FakeConnection& accept_one() {
    EXPECT_TRUE(run_until([&] { return !broker.connections.empty(); }));
    for (int i = 0; i < 10 && turn(); ++i) {
    }
    return first();
  }
  // Takes over a detached connection, as the mail between workers would do it.
  void take_over(FakeWorker& from) {
    broker.connections.push_back(std::move(from.broker.connections.front()));
    from.broker.connections.erase(from.broker.connections.begin());
    Connections::set_current(&connections);
    broker.connections.back()->transport->attach(broker.connections.back()->as_owner());
  }
  FakeConnection& first() { return *broker.connections.at(0); }
  std::uint16_t port() const { return endpoint.address.port(); }

  broker::ListenerPolicy policy;
  Endpoint endpoint;
  MonoTime now{1000};
  DescriptorShortage shortage;
  std::unique_ptr<EventLoop> loop = std::move(EventLoop::open().value());
  FakeBroker broker;
  Connections connections{*loop, broker};
  std::unique_ptr<Listener> listener;

  ~FakeWorker() {
    broker.connections.clear();
    Connections::set_current(nullptr);
  }
};

// The other end of a connection: a blocking socket of the test.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const Address to = addresses_of("127.0.0.1", port).value().front();
    EXPECT_EQ(::connect(socket_.get(), to.raw(), to.size), 0);
  }
  void send(std::string_view text) {
    EXPECT_EQ(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // What has arrived by now.
  std::string read_available() {
    std::string text;
    std::vector<char> chunk(1 << 16);
    for (;;) {
      const ssize_t count = ::recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (count == 0) saw_end = true;
      if (count < 0 && errno == ECONNRESET) saw_reset = true;
      if (count <= 0) return text;
      text.append(chunk.data(), static_cast<std::size_t>(count));
    }
  }
  // A piece of that, of no more than `most` bytes.
  std::string read_some(std::size_t most) {
    std::string text(most, '\0');
    const ssize_t count = ::recv(socket_.get(), text.data(), most, MSG_DONTWAIT);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return text;
  }
  void shutdown_write() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.reset(); }
  // Closes with an RST.
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    socket_.reset();
  }
  // A small window, so that the other side's output waits soon.
  void shrink_buffer() {
    const int size = 4096;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  [[nodiscard]] int fd() const { return socket_.get(); }

  bool saw_end = false;
  bool saw_reset = false;

 private:
  Fd socket_;
};

}  // namespace nightjar::net
