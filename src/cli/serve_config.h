// The configuration that `nightjar serve` runs with: the file, what the command line overrides, and the
// loopback listener when nothing else is said. Reads the file; any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "cli/command_line.h"
#include "config/load.h"
#include "net/address.h"

namespace nightjar::cli {

Result<config::Config, config::Problems> serve_config(const ServeOptions& options);

// Where a listener is to listen: one address or more.
Result<std::vector<net::Address>> addresses_of(const config::ListenerConfig& listener);

// Threads that serve clients with that configuration on this machine.
std::uint16_t worker_count(const config::Config& config);

}  // namespace nightjar::cli
