#include "net/network.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>
#include <string>

namespace nightjar::net {
namespace {

constexpr unsigned kBits4 = 32;
constexpr unsigned kBits6 = 128;

tl::unexpected<Error> no_network(std::string_view text) {
  return fail(
      fmt::format("\"{}\" is no network; write an IPv4 or IPv6 address, or one with the number of bits that "
                  "count, such as \"10.0.0.0/8\" or \"fd00::/8\"",
                  text));
}

bool has_same_bits(const std::uint8_t* a, const std::uint8_t* b, unsigned bits) {
  if (std::memcmp(a, b, bits / 8) != 0) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0;
}

}  // namespace

Result<Network> Network::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string ip{text.substr(0, slash)};
  Network network;
  if (inet_pton(AF_INET, ip.c_str(), network.ip_.data()) == 1) {
    network.family_ = AF_INET;
  } else if (inet_pton(AF_INET6, ip.c_str(), network.ip_.data()) == 1) {
    network.family_ = AF_INET6;
  } else {
    return no_network(text);
  }
  const unsigned all_bits = network.family_ == AF_INET ? kBits4 : kBits6;
  network.prefix_bits_ = all_bits;
  if (slash == std::string_view::npos) return network;
  const std::string_view bits = text.substr(slash + 1);
  const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), network.prefix_bits_);
  const bool is_number = error == std::errc{} && end == bits.data() + bits.size() && !bits.empty();
  if (!is_number || network.prefix_bits_ > all_bits) return no_network(text);
  return network;
}

bool Network::contains(const Address& address) const {
  if (address.family() != family_) return false;
  const auto* const ip = family_ == AF_INET
                             ? reinterpret_cast<const std::uint8_t*>(
                                   &reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr)
                             : reinterpret_cast<const std::uint8_t*>(
                                   &reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr);
  return has_same_bits(ip, ip_.data(), prefix_bits_);
}

}  // namespace nightjar::net
