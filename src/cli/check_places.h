// Whether what a configuration names is there and can be used: folders, files, addresses. Changes nothing.
// Looks at the file system and the network; any thread.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace nightjar::cli {

struct PlaceFindings {
  std::vector<std::string> problems;  // a start fails
  std::vector<std::string> warnings;  // it may, here and now
};
// `broker`: the process id of the one that runs on this data directory, whose addresses are its own; 0: none
// does; -1: it does not say.
PlaceFindings check_places(const config::Config& config, int broker);

}  // namespace nightjar::cli
