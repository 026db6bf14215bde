// Socket addresses and how they read in logs: "192.0.2.7:51234", "[2001:db8::7]:51234", "unix:/run/x.sock".
// Pure values.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nightjar::net {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] int family() const { return storage.ss_family; }
  [[nodiscard]] const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] std::uint16_t port() const;
  void set_port(std::uint16_t port);
};

// An address as text without heap memory. The longest is a Unix socket's: "unix:" and a path of 107
// characters.
class AddressText {
 public:
  AddressText() = default;
  explicit AddressText(const Address& address);
  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, 112> text_{};
  std::uint8_t size_ = 0;
};

// The other end of a connection in few bytes, because every idle connection holds one.
class PeerAddress {
 public:
  PeerAddress() = default;
  explicit PeerAddress(const Address& address);
  [[nodiscard]] std::string text() const;

 private:
  std::array<std::uint8_t, 16> ip_{};  // four of them for IPv4
  std::uint16_t port_ = 0;             // in network order
  std::uint16_t family_ = 0;
};

// The address of a Unix socket. A path may have 107 bytes.
Result<Address> unix_address(const std::string& path);

// The numeric addresses that `text` stands for: one, or with "" or "*" every address of IPv4 and of IPv6.
// "localhost" is both loopback addresses. Names are not looked up.
Result<std::vector<Address>> addresses_of(std::string_view text, std::uint16_t port);
// Those of a host name. Asks the resolver and may take its time.
Result<std::vector<Address>> addresses_of_name(const std::string& name, std::uint16_t port);
// Those of a network interface, such as "eth0".
Result<std::vector<Address>> addresses_of_interface(const std::string& name, std::uint16_t port);

}  // namespace nightjar::net
