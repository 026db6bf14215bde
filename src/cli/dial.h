// Opens a TCP connection by host name, or one to a Unix socket. Blocks; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "cli/exit_code.h"
#include "net/fd.h"

namespace nightjar::cli {

// "127.0.0.1:1883", "[::1]:1883".
std::string address_text(const std::string& host, std::uint16_t port);

// Tries every address of `host` in turn. The socket is non-blocking and sends small packets at once.
Outcome<net::Fd> dial_unix(const std::string& path);
Outcome<net::Fd> dial(const std::string& host, std::uint16_t port, Duration timeout);

}  // namespace nightjar::cli
