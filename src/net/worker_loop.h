// One worker's thread: runs the turns of a broker::Worker on an event loop.
// A turn is: the core's begin, events, mail, the core's end, flush, wait. Made before its thread starts;
// run() and what it calls belong to that thread, request_stop() to any.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "broker/node.h"
#include "broker/worker.h"
#include "net/connections.h"
#include "net/listener.h"
#include "net/load_watch.h"
#include "net/mail_room.h"

namespace nightjar::net {

class WorkerLoop final : public Handler {
 public:
  WorkerLoop(broker::Node& node, broker::WorkerIndex index, MailRoom& mail, LoadWatch& watch);
  ~WorkerLoop() override;

  // Before run(), or in a turn. `endpoint` and `shortage` outlive the loop.
  void listen(const Endpoint& endpoint, Fd socket, DescriptorShortage& shortage);

  // In a turn: connections that come to `before` are treated as `after` says.
  void change(const Endpoint& before, const Endpoint& after);
  // In a turn: accepts nothing more there.
  void close(const Endpoint& endpoint);

  // Turns until request_stop().
  void run();
  // One turn; sleeps at most `longest_wait` for something to happen (negative: no limit).
  void turn(Duration longest_wait);
  // Any thread.
  void request_stop();

  // In a turn: nothing new is accepted, every client is told goodbye. `on_quiet` is called, once and in a
  // turn as well, when the last socket is closed.
  void drain(std::function<void()> on_quiet);

  broker::Worker& worker() { return worker_; }

 private:
  void on_accepted(std::unique_ptr<broker::Transport> transport,
                   const broker::ListenerPolicy& policy) override;
  void on_bytes(broker::Connection& owner, ByteView bytes) override;
  std::span<std::byte> room_for_rest(broker::Connection& owner) override;
  void on_rest(broker::Connection& owner, std::size_t count) override;
  void on_closed(broker::Connection& owner, broker::TransportEnd end) override;
  void on_drained(broker::Connection& owner) override;

  void welcome_clients_if_at_home();
  void wait(Duration longest_wait);
  [[nodiscard]] MonoTime next_deadline() const;

  const Clock& clock_;
  EventLoop& loop_;
  Mailbox& mailbox_;
  LoadWatch& watch_;
  Connections connections_;
  broker::Worker worker_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::atomic<bool> is_stopping_{false};
  std::function<void()> on_quiet_;  // empty unless a drain goes on
};

}  // namespace nightjar::net
