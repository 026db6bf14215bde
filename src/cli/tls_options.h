// What the command line says about TLS, alike in every command that connects to a broker. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cli/exit_code.h"
#include "net/tls_client_context.h"

namespace nightjar::cli {

struct TlsOptions {
  bool is_wanted = false;         // --tls
  bool is_insecure = false;       // --insecure
  net::TlsClientSettings client;  // --cafile, --cert, --key
};

inline constexpr std::uint16_t kTlsPort = 8883;

// Nothing: no TLS. Each of the options means it, and so does `url`, if its scheme says so.
Outcome<std::optional<net::TlsClientSettings>> check_tls(const TlsOptions& options, std::string_view url);

}  // namespace nightjar::cli
