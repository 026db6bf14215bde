#include "net/workers.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <latch>
#include <utility>

namespace nightjar::net {

Workers::Workers(broker::Node& node, MailRoom& mail)
    : node_(node), mail_(mail), watch_(node, mail), loud_(node.worker_count()) {
  for (std::uint16_t i = 0; i < node.worker_count(); ++i) {
    loops_.push_back(std::make_unique<WorkerLoop>(node, broker::WorkerIndex{i}, mail, watch_));
  }
}

Workers::~Workers() {
  stop();
  // Mail that nobody will read may hold connections, and those go before the workers they came from.
  for (std::uint16_t i = 0; i < mail_.workers(); ++i) {
    mail_.mailbox({i}).take([](std::unique_ptr<broker::MailBatch>) {});
  }
}

Result<Workers::Bound, BindError> Workers::bind(const Address& address, const broker::ListenerPolicy& policy,
                                                FilterFactory filter) {
  Bound bound{std::make_unique<Endpoint>(Endpoint{address, &policy, std::move(filter)}), {}};
  NJ_TRY(bound.sockets, bind_sockets(bound.endpoint->address, node_.worker_count()));
  return bound;
}

Result<Workers::Bound, BindError> Workers::bind_unix(const std::string& path, mode_t mode,
                                                     const broker::ListenerPolicy& policy,
                                                     FilterFactory filter) {
  auto made = bind_unix_socket(path, mode);
  if (!made) return tl::make_unexpected(BindError{made.error().message});
  Bound bound{std::make_unique<Endpoint>(
                  Endpoint{unix_address(path).value(), &policy, std::move(filter), std::move(made->file)}),
              {}};
  NJ_TRY(bound.sockets, share_socket(std::move(made->socket), bound.endpoint->address, node_.worker_count()));
  return bound;
}

const Endpoint& Workers::listen(Bound bound) {
  endpoints_.push_back(std::move(bound.endpoint));
  const Endpoint& endpoint = *endpoints_.back();
  on_each_loop([&](WorkerLoop& loop, std::size_t index) {
    loop.listen(endpoint, std::move(bound.sockets[index]), shortage_);
  });
  return endpoint;
}

Result<Address, BindError> Workers::listen(const Address& address, const broker::ListenerPolicy& policy,
                                           FilterFactory filter) {
  NJ_TRY(Bound bound, bind(address, policy, std::move(filter)));
  return listen(std::move(bound)).address;
}

const Endpoint& Workers::change(const Endpoint& endpoint, const broker::ListenerPolicy& policy,
                                FilterFactory filter) {
  endpoints_.push_back(std::make_unique<Endpoint>(
      Endpoint{endpoint.address, &policy, std::move(filter), std::move(owned(endpoint).file)}));
  const Endpoint& next = *endpoints_.back();
  on_each_loop([&](WorkerLoop& loop, std::size_t) { loop.change(endpoint, next); });
  // No worker knows it any more, and it may hold much: certificates, keys.
  std::erase_if(endpoints_, [&](const auto& one) { return one.get() == &endpoint; });
  return next;
}

void Workers::close(const Endpoint& endpoint) {
  on_each_loop([&](WorkerLoop& loop, std::size_t) { loop.close(endpoint); });
  std::erase_if(endpoints_, [&](const auto& one) { return one.get() == &endpoint; });
}

Endpoint& Workers::owned(const Endpoint& endpoint) {
  return **std::find_if(endpoints_.begin(), endpoints_.end(),
                        [&](const auto& one) { return one.get() == &endpoint; });
}

// Before start() here and now; afterwards each in a turn of its thread. Returns when all have done it.
void Workers::on_each_loop(const std::function<void(WorkerLoop&, std::size_t)>& task) {
  if (threads_.empty()) {
    for (std::size_t i = 0; i < loops_.size(); ++i) task(*loops_[i], i);
    return;
  }
  std::latch done(static_cast<std::ptrdiff_t>(loops_.size()));
  for (std::uint16_t i = 0; i < loops_.size(); ++i) {
    mail_.run_on({i}, [&, i](broker::Worker&) {
      task(*loops_[i], i);
      done.count_down();
    });
  }
  done.wait();
}

std::vector<broker::Worker*> Workers::unstarted() {
  std::vector<broker::Worker*> workers;
  for (const auto& loop : loops_) workers.push_back(&loop->worker());
  return workers;
}

void Workers::start() {
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    threads_.emplace_back([loop = loops_[i].get()] { loop->run(); });
    pthread_setname_np(threads_.back().native_handle(), ("worker " + std::to_string(i)).c_str());
  }
}

void Workers::begin_drain() {
  const auto on_quiet = [this] {
    const std::lock_guard lock(mutex_);
    if (--loud_ == 0) quieter_.notify_all();
  };
  for (std::uint16_t i = 0; i < mail_.workers(); ++i) {
    mail_.run_on({i}, [loop = loops_[i].get(), on_quiet](broker::Worker&) { loop->drain(on_quiet); });
  }
}

bool Workers::wait_until_quiet(Duration longest) {
  std::unique_lock lock(mutex_);
  return quieter_.wait_for(lock, std::chrono::milliseconds(longest.ms), [this] { return loud_ == 0; });
}

void Workers::stop() {
  for (const auto& loop : loops_) loop->request_stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace nightjar::net
