// A set of addresses with a common beginning: "10.0.0.0/8", "fd00::/8", or one address. A pure value.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "net/address.h"

namespace nightjar::net {

class Network {
 public:
  static Result<Network> parse(std::string_view text);

  [[nodiscard]] bool contains(const Address& address) const;

 private:
  Network() = default;

  int family_ = 0;
  unsigned prefix_bits_ = 0;
  std::array<std::uint8_t, 16> ip_{};
};

}  // namespace nightjar::net
