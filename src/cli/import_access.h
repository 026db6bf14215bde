// What Mosquitto's dynamic-security plugin decided as files of Nightjar's own, for `nightjar import`. One
// thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace nightjar::cli {

// A file that is to be written.
struct NewFile {
  std::string path;
  std::string text;
  unsigned mode = 0644;
};

struct ImportedAccess {
  std::vector<NewFile> files;
  std::vector<std::string> differing;  // lines of the report
};

// Reads the plugin's files that `config` names, and lets it name those that are to be written beside `output`
// instead. With `security` all listeners take that one.
Result<ImportedAccess> import_access(config::Config& config, const std::string& security,
                                     const std::string& output);

}  // namespace nightjar::cli
