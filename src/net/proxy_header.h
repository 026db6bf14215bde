// The header of the PROXY protocol, versions 1 and 2, with which a load balancer says whose connection it
// forwards (haproxy.org/download/2.8/doc/proxy-protocol.txt). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "net/address.h"

namespace nightjar::net {

// Of a version 2 header with all its extensions; some hundred bytes are usual.
inline constexpr std::size_t kProxyHeaderBytesMax = 4096;

struct ProxyHeader {
  std::size_t bytes = 0;            // of the header itself
  std::uint8_t version = 0;         // 1 or 2
  std::optional<Address> source{};  // none: the balancer speaks for itself, or does not know
  bool is_local = false;            // it speaks for itself: a health check
  bool has_tls = false;             // the client came to the balancer by TLS
  bool has_certificate = false;     // with a certificate that the balancer verified
  std::string common_name{};        // of that certificate
};

enum class ProxyHeaderState : std::uint8_t { kNeedMore, kComplete, kMalformed };

// Reads the header that `in` begins with. When malformed, `problem` says in which way.
ProxyHeaderState read_proxy_header(ByteView in, ProxyHeader& header, std::string_view& problem);

}  // namespace nightjar::net
