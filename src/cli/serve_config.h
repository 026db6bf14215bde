// The configuration that `nightjar serve` runs with: the file, what the command line overrides, and the
// loopback listener when nothing else is said. Reads the file; any thread.
#pragma once

#include "cli/command_line.h"
#include "config/load.h"

namespace nightjar::cli {

Result<config::Config, config::Problems> serve_config(const ServeOptions& options);

}  // namespace nightjar::cli
