// What a configuration asks for and this broker cannot do yet. Pure; any thread.
#pragma once

#include "config/config.h"
#include "config/load.h"

namespace nightjar::cli {

// One line for each; without them the broker must not start, for it would be more open than the file says.
config::Problems unsupported(const config::Config& config);

}  // namespace nightjar::cli
