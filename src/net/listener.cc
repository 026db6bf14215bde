#include "net/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "net/connection.h"
#include "net/port_holder.h"
#include "net/unix_connection.h"

namespace nightjar::net {
namespace {

bool set_option(const Fd& socket, int level, int name, int value) {
  return ::setsockopt(socket.get(), level, name, &value, sizeof value) == 0;
}

tl::unexpected<BindError> bind_error(const Address& address, int error) {
  const AddressText text(address);
  const auto because = [&text](bool is_about_port, std::string_view why) {
    return tl::make_unexpected(
        BindError{fmt::format("cannot listen on {}: {}", text.view(), why), is_about_port});
  };
  switch (error) {
    case EADDRINUSE:
      return because(true, fmt::format("the port is held by {}; stop it or choose another port",
                                       port_holder(address.port())));
    case EACCES:
      return because(true, "ports below 1024 need root or CAP_NET_BIND_SERVICE; choose another port");
    case EADDRNOTAVAIL:
      return because(false, "this machine does not have that address; \"ip address\" lists those it has");
    default:
      return because(false, std::strerror(error));
  }
}

Result<Fd, BindError> bind_one(Address& address) {
  Fd socket{::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!socket) return bind_error(address, errno);
  set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.family() == AF_INET6) set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (::bind(socket.get(), address.raw(), address.size) != 0) return bind_error(address, errno);
  // Accepted sockets inherit it; one system call less per connection.
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  Address bound = address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.size) == 0)
    address = bound;
  return socket;
}

bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Result<std::vector<Fd>, BindError> bind_sockets(Address& address, std::uint16_t workers) {
  NJ_TRY(Fd socket, bind_one(address));
  return share_socket(std::move(socket), address, workers);
}

Result<std::vector<Fd>, BindError> share_socket(Fd socket, const Address& address, std::uint16_t workers) {
  std::vector<Fd> sockets;
  if (::listen(socket.get(), kAcceptBacklog) != 0) return bind_error(address, errno);
  sockets.push_back(std::move(socket));
  while (sockets.size() < workers) {
    Fd copy{::fcntl(sockets.front().get(), F_DUPFD_CLOEXEC, 0)};
    if (!copy) return bind_error(address, errno);
    sockets.push_back(std::move(copy));
  }
  return sockets;
}

// ---- DescriptorShortage ----

void DescriptorShortage::begin(int error) {
  if (is_known_.exchange(true)) return;
  if (error != EMFILE) {
    return log::warn(fmt::format("accepting pauses: {}; the whole machine is out of {}", std::strerror(error),
                                 error == ENFILE ? "open files, raise fs.file-max" : "network memory"));
  }
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  log::warn(fmt::format(
      "accepting pauses: this process has all the {} open files that it may have (RLIMIT_NOFILE); "
      "raise the limit with \"ulimit -n\" or LimitNOFILE= of the service, or disconnect clients",
      limit.rlim_cur));
}

void DescriptorShortage::end() {
  if (is_known_.exchange(false)) log::info("accepting connections again");
}

// ---- Listener ----

Listener::Listener(EventLoop& loop, Handler& handler, const Endpoint& endpoint, Fd socket,
                   DescriptorShortage& shortage)
    : loop_(loop), handler_(handler), endpoint_(&endpoint), socket_(std::move(socket)), shortage_(shortage) {}

Listener::~Listener() { set_accepting(false); }

// Exclusive: of the workers that sleep on the socket, a new connection wakes one.
bool Listener::join_loop() { return loop_.add(socket_.get(), EPOLLIN | EPOLLEXCLUSIVE, *this); }

void Listener::set_accepting(bool is_accepting) {
  if (is_accepting == is_accepting_) return;
  is_accepting_ = is_accepting;
  if (!is_accepting) {
    if (resume_at_ == kNever) loop_.remove(socket_.get(), *this);
    resume_at_ = kNever;
  } else if (!join_loop()) {
    resume_at_ = now_ + kAcceptPause;
  }
}

void Listener::begin_turn(MonoTime now, std::uint64_t closed_count) {
  now_ = now;
  const bool may_resume = now >= resume_at_ || closed_count != closed_count_;
  closed_count_ = closed_count;
  if (resume_at_ == kNever || !may_resume) return;
  // The kernel may be too short of memory even for that.
  resume_at_ = join_loop() ? kNever : now + kAcceptPause;
}

void Listener::on_events(std::uint32_t) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!accept_one()) return;
  }
}

bool Listener::accept_one() {
  Address peer;
  peer.size = sizeof peer.storage;
  Fd socket{::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer.storage), &peer.size,
                      SOCK_NONBLOCK | SOCK_CLOEXEC)};
  if (!socket) {
    if (is_shortage(errno)) {
      pause(errno);
      return false;
    }
    if (errno == EAGAIN) {
      shortage_.end();  // everybody who waited is in
      return false;
    }
    return errno != EINVAL && errno != EBADF;  // the rest concerns one connection that is already gone
  }
  handler_.on_accepted(make_connection(std::move(socket), peer), *endpoint_->policy);
  return true;
}

std::unique_ptr<Connection> Listener::make_connection(Fd socket, const Address& peer) const {
  std::unique_ptr<StreamFilter> filter = endpoint_->filter ? endpoint_->filter(peer) : nullptr;
  std::unique_ptr<Connection> made;
  if (endpoint_->address.family() == AF_UNIX) {
    made = std::make_unique<UnixConnection>(std::move(socket), endpoint_->address, std::move(filter));
  } else {
    made = std::make_unique<Connection>(std::move(socket), peer, std::move(filter));
  }
  if (const std::uint32_t most = endpoint_->policy->outstanding_bytes_max; most != 0) made->pace(most);
  return made;
}

// Level-triggered epoll would report the waiting connection for ever, so the listener leaves the loop.
void Listener::pause(int error) {
  shortage_.begin(error);
  loop_.remove(socket_.get(), *this);
  resume_at_ = now_ + kAcceptPause;
}

}  // namespace nightjar::net
