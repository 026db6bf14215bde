// The worker threads of a node: starts them, drains them, joins them. Used by one thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "broker/node.h"
#include "net/listener.h"
#include "net/load_watch.h"
#include "net/mail_room.h"
#include "net/worker_loop.h"

namespace nightjar::net {

class Workers {
 public:
  // `node` was made with `mail` as its Peers; both outlive the workers.
  Workers(broker::Node& node, MailRoom& mail);
  // Stops the threads without ceremony if they still run.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // An address that is bound, with a socket for each worker; nobody accepts there yet.
  struct Bound {
    std::unique_ptr<Endpoint> endpoint;
    std::vector<Fd> sockets;
  };
  Result<Bound, BindError> bind(const Address& address, const broker::ListenerPolicy& policy,
                                FilterFactory filter = {});
  // The same with a Unix socket, whose `mode` says who may connect.
  Result<Bound, BindError> bind_unix(const std::string& path, mode_t mode,
                                     const broker::ListenerPolicy& policy, FilterFactory filter = {});
  // Every worker accepts there from now on. The endpoint is good until it is changed or closed.
  const Endpoint& listen(Bound bound);
  // Both at once. Returns the address with the port that was bound.
  Result<Address, BindError> listen(const Address& address, const broker::ListenerPolicy& policy,
                                    FilterFactory filter = {});
  // Connections that come from now on are treated as said here; those that are there stay as they are. What
  // is returned takes the place of `endpoint`.
  const Endpoint& change(const Endpoint& endpoint, const broker::ListenerPolicy& policy,
                         FilterFactory filter = {});
  // Accepts nothing more there and frees the address. Clients stay.
  void close(const Endpoint& endpoint);

  void start();

  // Before start(): to act as the workers, whose threads do not run yet.
  [[nodiscard]] std::vector<broker::Worker*> unstarted();

  // Asks every worker to say goodbye to its clients. Once.
  void begin_drain();
  // True when every client is gone; false after `longest`.
  bool wait_until_quiet(Duration longest);
  // Ends the threads. Connections that remain are closed.
  void stop();

 private:
  void on_each_loop(const std::function<void(WorkerLoop&, std::size_t index)>& task);
  Endpoint& owned(const Endpoint& endpoint);

  broker::Node& node_;
  MailRoom& mail_;
  LoadWatch watch_;
  DescriptorShortage shortage_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<std::unique_ptr<WorkerLoop>> loops_;
  std::vector<std::thread> threads_;

  std::mutex mutex_;
  std::condition_variable quieter_;
  std::size_t loud_;  // workers with clients or sockets left; under mutex_
};

}  // namespace nightjar::net
