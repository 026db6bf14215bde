// Listening sockets. The workers share one socket for each address; those that serve clients wait on it, and
// the kernel wakes one of them for a new connection.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "broker/policy.h"
#include "net/address.h"
#include "net/connection.h"
#include "net/event_loop.h"
#include "net/fd.h"
#include "net/handler.h"
#include "net/stream_filter.h"
#include "net/unix_socket.h"

namespace nightjar::net {

// Connections taken from one listener in one turn, so that a storm of strangers does not hold up clients.
inline constexpr int kAcceptsPerTurn = 64;
// How long accepting pauses when no file descriptor is left and none is given back here.
inline constexpr Duration kAcceptPause = Duration::seconds(1);
// Connections that wait in the kernel; it caps this at net.core.somaxconn.
inline constexpr int kAcceptBacklog = 4096;

// One address to listen on: what all workers share about it. Does not change; outlives the listeners that
// refer to it.
struct Endpoint {
  Address address;  // with the real port, if port 0 was asked for
  const broker::ListenerPolicy* policy = nullptr;
  FilterFactory filter;
  std::unique_ptr<UnixSocketFile> file{};  // of a Unix socket
};

// Why an address cannot be listened on. Where it was said, and so what to change, is for the caller to add.
struct BindError {
  std::string message;
  bool is_about_port = false;  // another port would do; else it is the address
};

// Binds `address` and gives each worker a descriptor of the socket. Fails if anybody else holds the port and
// names the holder. `address` gets the port that was bound.
Result<std::vector<Fd>, BindError> bind_sockets(Address& address, std::uint16_t workers);
// The same for a bound Unix socket.
Result<std::vector<Fd>, BindError> share_socket(Fd socket, const Address& address, std::uint16_t workers);

// Says once that descriptors ran out, for all listeners of the process. Any thread.
class DescriptorShortage {
 public:
  void begin(int error);
  void end();

 private:
  std::atomic<bool> is_known_{false};
};

// Accepts on one socket, once it is told to. Lives on its worker's thread.
class Listener final : private Pollable {
 public:
  Listener(EventLoop& loop, Handler& handler, const Endpoint& endpoint, Fd socket,
           DescriptorShortage& shortage);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Connections that come from now on get the policy and the filter of another endpoint of that address.
  void change(const Endpoint& endpoint) { endpoint_ = &endpoint; }
  [[nodiscard]] const Endpoint& endpoint() const { return *endpoint_; }

  // Whether new connections are welcome on this worker.
  void set_accepting(bool is_accepting);
  // Each turn: resumes a paused listener when `closed_count` (of Connections) grew or the pause is over.
  void begin_turn(MonoTime now, std::uint64_t closed_count);
  // When a pause ends; kNever while accepting.
  [[nodiscard]] MonoTime next_deadline() const { return resume_at_; }

 private:
  void on_events(std::uint32_t events) override;
  // False: nothing more to accept now.
  bool accept_one();
  [[nodiscard]] std::unique_ptr<Connection> make_connection(Fd socket, const Address& peer) const;
  void pause(int error);
  bool join_loop();

  EventLoop& loop_;
  Handler& handler_;
  const Endpoint* endpoint_;
  Fd socket_;
  DescriptorShortage& shortage_;
  MonoTime now_{};
  MonoTime resume_at_ = kNever;
  std::uint64_t closed_count_ = 0;
  bool is_accepting_ = false;
};

}  // namespace nightjar::net
