#include "net/worker_loop.h"

#include <algorithm>
#include <utility>

namespace nightjar::net {

WorkerLoop::WorkerLoop(broker::Node& node, broker::WorkerIndex index, MailRoom& mail, LoadWatch& watch)
    : clock_(node.ports().clock),
      loop_(mail.loop(index)),
      mailbox_(mail.mailbox(index)),
      watch_(watch),
      connections_(loop_, *this),
      worker_(node, index) {}

WorkerLoop::~WorkerLoop() = default;

void WorkerLoop::listen(const Endpoint& endpoint, Fd socket, DescriptorShortage& shortage) {
  listeners_.push_back(std::make_unique<Listener>(loop_, *this, endpoint, std::move(socket), shortage));
  welcome_clients_if_at_home();
}

void WorkerLoop::change(const Endpoint& before, const Endpoint& after) {
  for (const auto& listener : listeners_) {
    if (&listener->endpoint() == &before) listener->change(after);
  }
}

void WorkerLoop::close(const Endpoint& endpoint) {
  std::erase_if(listeners_, [&](const auto& listener) { return &listener->endpoint() == &endpoint; });
}

// A client that is accepted where its shard cannot be has to move at once, and wakes two workers.
void WorkerLoop::welcome_clients_if_at_home() {
  for (const auto& listener : listeners_) listener->set_accepting(worker_.owns_shards());
}

void WorkerLoop::run() {
  Connections::set_current(&connections_);
  watch_.watch_this_thread(worker_.index());
  while (!is_stopping_.load(std::memory_order_relaxed)) turn(Duration{-1});
  Connections::set_current(nullptr);
}

void WorkerLoop::turn(Duration longest_wait) {
  wait(longest_wait);
  const MonoTime now = clock_.now();
  worker_.begin_turn(now);
  connections_.begin_turn(now);
  for (const auto& listener : listeners_) listener->begin_turn(now, connections_.closed_count());
  loop_.dispatch();
  mailbox_.take([this](std::unique_ptr<broker::MailBatch> batch) { worker_.on_mail(std::move(batch)); });
  worker_.end_turn();
  connections_.finish_turn();
  welcome_clients_if_at_home();
  watch_.tick(now);
  if (on_quiet_ && worker_.is_drained() && connections_.attached() == 0) std::exchange(on_quiet_, {})();
}

void WorkerLoop::wait(Duration longest_wait) {
  Duration timeout = longest_wait;
  if (const MonoTime deadline = next_deadline(); deadline != kNever) {
    const Duration until{std::max<std::int64_t>(0, (deadline - clock_.now()).ms)};
    timeout = timeout.ms < 0 ? until : std::min(timeout, until);
  }
  worker_.wait_begins();
  if (timeout.ms != 0 && !mailbox_.may_sleep()) timeout = {};
  watch_.wait_begins(worker_.index());
  loop_.wait(timeout);
  watch_.wait_ends(worker_.index());
  mailbox_.woke_up();
}

MonoTime WorkerLoop::next_deadline() const {
  MonoTime deadline = std::min(worker_.next_deadline(), connections_.next_deadline());
  for (const auto& listener : listeners_) deadline = std::min(deadline, listener->next_deadline());
  return deadline;
}

void WorkerLoop::request_stop() {
  is_stopping_.store(true, std::memory_order_relaxed);
  loop_.wake();
}

void WorkerLoop::drain(std::function<void()> on_quiet) {
  on_quiet_ = std::move(on_quiet);
  listeners_.clear();
  worker_.drain();
}

void WorkerLoop::on_accepted(std::unique_ptr<broker::Transport> transport,
                             const broker::ListenerPolicy& policy) {
  worker_.accept(std::move(transport), policy);
}
void WorkerLoop::on_bytes(broker::Connection& owner, ByteView bytes) { worker_.on_bytes(owner, bytes); }
std::span<std::byte> WorkerLoop::room_for_rest(broker::Connection& owner) {
  return broker::Worker::room_for_rest(owner);
}
void WorkerLoop::on_rest(broker::Connection& owner, std::size_t count) { worker_.on_rest(owner, count); }
void WorkerLoop::on_closed(broker::Connection& owner, broker::TransportEnd end) {
  worker_.on_closed(owner, end);
}
void WorkerLoop::on_drained(broker::Connection& owner) { worker_.on_drained(owner); }

}  // namespace nightjar::net
