// The directory of one broker: made when missing, locked while the broker runs.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "net/fd.h"

namespace nightjar::cli {

// The control socket of a running broker.
inline constexpr char kControlSocketName[] = "nightjar.sock";

class DataDir {
 public:
  // Fails with the reason and the fix: no permission, not a directory, or in use by another broker.
  static Result<DataDir> open(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path control_socket() const { return path_ / kControlSocketName; }

 private:
  DataDir(std::filesystem::path path, net::Fd lock);

  std::filesystem::path path_;
  net::Fd lock_;  // the lock ends with the process, however it ends
};

}  // namespace nightjar::cli
