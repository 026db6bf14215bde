#include "cli/dial.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "net/address.h"

namespace nightjar::cli {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

bool is_loopback(const addrinfo& address) {
  if (address.ai_family == AF_INET) {
    const auto* in4 = reinterpret_cast<const sockaddr_in*>(address.ai_addr);
    return (ntohl(in4->sin_addr.s_addr) >> 24U) == 127;
  }
  return address.ai_family == AF_INET6 &&
         IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address.ai_addr)->sin6_addr);
}

// 0, or the errno of the failure.
int connect_within(int fd, const addrinfo& address, Duration timeout) {
  if (connect(fd, address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd waits{fd, POLLOUT, 0};
  const int ready = poll(&waits, 1, static_cast<int>(timeout.ms));
  if (ready < 0) return errno;
  if (ready == 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

// What to do about it, for the errors that people meet.
std::string explain(int error, bool is_local, std::uint16_t port, Duration timeout) {
  switch (error) {
    case ECONNREFUSED:
      if (!is_local)
        return "connection refused; is the broker running, and does it listen on this address and port?";
      return port == 1883
                 ? "connection refused; is the broker running? (start it with: nightjar serve)"
                 : fmt::format(
                       "connection refused; is the broker running? (start it with: nightjar serve -p {})",
                       port);
    case ETIMEDOUT:
      return fmt::format(
          "no answer within {} s; is the address right, and does a firewall let port {} through?",
          timeout.ms / 1000, port);
    case ENETUNREACH:
    case EHOSTUNREACH:
      return "no route to this host; is the network up?";
    default:
      return std::strerror(error);
  }
}

}  // namespace

std::string address_text(const std::string& host, std::uint16_t port) {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

Outcome<net::Fd> dial_unix(const std::string& path) {
  const auto address = net::unix_address(path);
  if (!address) return stop(ExitCode::kUsage, address.error().message);
  net::Fd fd{socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (fd && connect(fd.get(), address->raw(), address->size) == 0) return fd;
  std::string why = std::strerror(errno);
  if (errno == ENOENT)
    why = "there is no such socket; is the broker running, and does it listen on this path?";
  if (errno == ECONNREFUSED) why = "connection refused; is the broker running?";
  if (errno == EACCES) why = "this user may not write to the socket; see path_mode of the broker's listener";
  return stop(ExitCode::kCannotConnect, fmt::format("cannot connect to {}: {}", path, why), true);
}

Outcome<net::Fd> dial(const std::string& host, std::uint16_t port, Duration timeout) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int failed = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
      failed != 0) {
    return stop(
        ExitCode::kCannotConnect,
        fmt::format("cannot find the host \"{}\": {}; is it spelled right?", host, gai_strerror(failed)),
        true);
  }
  const Addresses addresses{list};

  int error = ECONNREFUSED;
  bool is_local = false;
  for (const addrinfo* address = list; address != nullptr; address = address->ai_next) {
    net::Fd fd{socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    error = fd ? connect_within(fd.get(), *address, timeout) : errno;
    if (error == 0) {
      // Best effort: without it a small packet may wait for the acknowledgement of the one before.
      const int on = 1;
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return fd;
    }
    is_local = is_loopback(*address);
  }
  return stop(ExitCode::kCannotConnect,
              fmt::format("cannot connect to {}: {}", address_text(host, port),
                          explain(error, is_local, port, timeout)),
              true);
}

}  // namespace nightjar::cli
