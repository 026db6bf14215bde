#include "net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace nightjar::net {
namespace {

const sockaddr_in& v4(const Address& a) { return reinterpret_cast<const sockaddr_in&>(a.storage); }
const sockaddr_in6& v6(const Address& a) { return reinterpret_cast<const sockaddr_in6&>(a.storage); }
sockaddr_in& v4(Address& a) { return reinterpret_cast<sockaddr_in&>(a.storage); }
sockaddr_in6& v6(Address& a) { return reinterpret_cast<sockaddr_in6&>(a.storage); }

bool parse(const std::string& text, std::uint16_t port, Address& out) {
  out = {};
  if (inet_pton(AF_INET, text.c_str(), &v4(out).sin_addr) == 1) {
    out.storage.ss_family = AF_INET;
    out.size = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, text.c_str(), &v6(out).sin6_addr) == 1) {
    out.storage.ss_family = AF_INET6;
    out.size = sizeof(sockaddr_in6);
  } else {
    return false;
  }
  out.set_port(port);
  return true;
}

Address copy(const sockaddr* from, std::uint16_t port) {
  Address address;
  address.size = from->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  std::memcpy(&address.storage, from, address.size);
  address.set_port(port);
  return address;
}

}  // namespace

std::uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(v4(*this).sin_port);
  if (family() == AF_INET6) return ntohs(v6(*this).sin6_port);
  return 0;
}

void Address::set_port(std::uint16_t port) {
  if (family() == AF_INET) v4(*this).sin_port = htons(port);
  if (family() == AF_INET6) v6(*this).sin6_port = htons(port);
}

AddressText::AddressText(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> host{};
  fmt::format_to_n_result<char*> end{};
  if (address.family() == AF_INET) {
    inet_ntop(AF_INET, &v4(address).sin_addr, host.data(), host.size());
    end = fmt::format_to_n(text_.data(), text_.size(), "{}:{}", host.data(), address.port());
  } else if (address.family() == AF_INET6) {
    inet_ntop(AF_INET6, &v6(address).sin6_addr, host.data(), host.size());
    end = fmt::format_to_n(text_.data(), text_.size(), "[{}]:{}", host.data(), address.port());
  } else if (address.family() == AF_UNIX) {
    const auto& local = reinterpret_cast<const sockaddr_un&>(address.storage);
    const std::size_t size = ::strnlen(local.sun_path, sizeof local.sun_path);
    // Who connects has no path.
    end = fmt::format_to_n(text_.data(), text_.size(), "unix{}{}", size == 0 ? "" : ":",
                           std::string_view(local.sun_path, size));
  } else {
    end = fmt::format_to_n(text_.data(), text_.size(), "local");
  }
  size_ = static_cast<std::uint8_t>(end.out - text_.data());
}

PeerAddress::PeerAddress(const Address& address) : family_(address.storage.ss_family) {
  if (family_ == AF_INET) {
    std::memcpy(ip_.data(), &v4(address).sin_addr, sizeof(in_addr));
    port_ = v4(address).sin_port;
  } else if (family_ == AF_INET6) {
    std::memcpy(ip_.data(), &v6(address).sin6_addr, sizeof(in6_addr));
    port_ = v6(address).sin6_port;
  }
}

std::string PeerAddress::text() const {
  Address address;
  address.storage.ss_family = family_;
  if (family_ == AF_INET) {
    std::memcpy(&v4(address).sin_addr, ip_.data(), sizeof(in_addr));
    v4(address).sin_port = port_;
  } else if (family_ == AF_INET6) {
    std::memcpy(&v6(address).sin6_addr, ip_.data(), sizeof(in6_addr));
    v6(address).sin6_port = port_;
  }
  return std::string{AddressText{address}.view()};
}

Result<Address> unix_address(const std::string& path) {
  Address address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
  if (path.empty() || path.size() >= sizeof local.sun_path) {
    return fail(fmt::format("\"{}\" cannot be the path of a Unix socket: it may have 1 to {} bytes", path,
                            sizeof local.sun_path - 1));
  }
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.data(), path.size());
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

Result<std::vector<Address>> addresses_of(std::string_view text, std::uint16_t port) {
  std::vector<std::string> hosts{std::string(text)};
  if (text.empty() || text == "*") hosts = {"0.0.0.0", "::"};
  if (text == "localhost") hosts = {"127.0.0.1", "::1"};
  if (text.size() > 2 && text.front() == '[' && text.back() == ']')
    hosts = {std::string(text.substr(1, text.size() - 2))};
  std::vector<Address> found;
  for (const std::string& host : hosts) {
    Address address;
    if (!parse(host, port, address)) {
      return fail(
          fmt::format("\"{}\" is not an address to listen on; give an IPv4 or IPv6 address such as "
                      "\"127.0.0.1\" or \"::1\", or \"*\" for every address of this machine",
                      text));
    }
    found.push_back(address);
  }
  return found;
}

Result<std::vector<Address>> addresses_of_name(const std::string& name, std::uint16_t port) {
  const addrinfo hints{.ai_flags = AI_PASSIVE, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  addrinfo* first = nullptr;
  if (const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &first); error != 0) {
    return fail(fmt::format("\"{}\" is neither an address to listen on nor a host name: {}", name,
                            ::gai_strerror(error)));
  }
  std::vector<Address> found;
  for (const addrinfo* info = first; info != nullptr; info = info->ai_next) {
    if (info->ai_family != AF_INET && info->ai_family != AF_INET6) continue;
    found.push_back(copy(info->ai_addr, port));
  }
  ::freeaddrinfo(first);
  return found;
}

Result<std::vector<Address>> addresses_of_interface(const std::string& name, std::uint16_t port) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return fail(fmt::format("cannot list interfaces: {}", std::strerror(errno)));
  std::vector<Address> found;
  for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
    const bool is_internet = at->ifa_addr != nullptr &&
                             (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6);
    if (is_internet && name == at->ifa_name) found.push_back(copy(at->ifa_addr, port));
  }
  ::freeifaddrs(first);
  if (found.empty()) {
    return fail(
        fmt::format("the network interface \"{}\" is not there or has no address; \"ip address\" lists "
                    "those of this machine",
                    name));
  }
  return found;
}

}  // namespace nightjar::net
