// What the configuration says about who may enter, as auth/ reads it. Pure.
#pragma once

#include <vector>

#include "auth/access.h"
#include "config/config.h"

namespace nightjar::cli {

// The first stands for listeners that are in the configuration no more; then one for each that is.
std::vector<auth::AccessSettings> access_settings(const config::Config& config);

}  // namespace nightjar::cli
