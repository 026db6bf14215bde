#include "cli/listener_health.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "net/fd.h"

namespace nightjar::cli {
namespace {

constexpr int kPatienceMs = 2000;

// An address that stands for all of this machine is tried on its loopback.
net::Address reachable(net::Address address) {
  if (address.family() == AF_INET) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    if (v4.sin_addr.s_addr == htonl(INADDR_ANY)) v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else if (address.family() == AF_INET6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    if (IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr)) v6.sin6_addr = in6addr_loopback;
  }
  return address;
}

// 0, or what stands against it.
int connect_error(const net::Address& address) {
  const net::Fd socket{::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!socket) return errno;
  if (::connect(socket.get(), address.raw(), address.size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd writable{.fd = socket.get(), .events = POLLOUT, .revents = 0};
  if (::poll(&writable, 1, kPatienceMs) <= 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace

Result<void> check_accepts(const net::Address& address) {
  const int error = connect_error(reachable(address));
  if (error == 0) return {};
  return fail(
      fmt::format("nobody can connect to {}: {}", net::AddressText(address).view(), std::strerror(error)));
}

}  // namespace nightjar::cli
