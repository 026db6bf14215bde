#include "net/workers.h"

#include <pthread.h>

#include <chrono>
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

Result<Address, BindError> Workers::listen(const Address& address, const broker::ListenerPolicy& policy,
                                           FilterFactory filter) {
  auto endpoint = std::make_unique<Endpoint>(Endpoint{address, &policy, std::move(filter)});
  NJ_TRY(std::vector<Fd> sockets, bind_sockets(endpoint->address, node_.worker_count()));
  return open(std::move(endpoint), std::move(sockets));
}

Result<Address, BindError> Workers::listen_unix(const std::string& path, mode_t mode,
                                                const broker::ListenerPolicy& policy, FilterFactory filter) {
  auto bound = bind_unix_socket(path, mode);
  if (!bound) return tl::make_unexpected(BindError{bound.error().message});
  auto endpoint = std::make_unique<Endpoint>(
      Endpoint{unix_address(path).value(), &policy, std::move(filter), std::move(bound->file)});
  NJ_TRY(std::vector<Fd> sockets,
         share_socket(std::move(bound->socket), endpoint->address, node_.worker_count()));
  return open(std::move(endpoint), std::move(sockets));
}

const Address& Workers::open(std::unique_ptr<Endpoint> endpoint, std::vector<Fd> sockets) {
  for (std::size_t i = 0; i < loops_.size(); ++i)
    loops_[i]->listen(*endpoint, std::move(sockets[i]), shortage_);
  endpoints_.push_back(std::move(endpoint));
  return endpoints_.back()->address;
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
