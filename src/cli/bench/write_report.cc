#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "cli/bench/report.h"

namespace nightjar::cli::bench {

bool write_report(const std::string& path, const std::string& text) {
  if (path == "-") {
    fmt::print("{}\n", text);
    return std::fflush(stdout) == 0;
  }
  std::ofstream file(path, std::ios::binary);
  file << text << '\n';
  file.close();
  if (!file) fmt::print(stderr, "nightjar bench: cannot write {}: {}\n", path, std::strerror(errno));
  return static_cast<bool>(file);
}

}  // namespace nightjar::cli::bench
