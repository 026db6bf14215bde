// The directory of one broker: made when missing, locked while the broker runs.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "net/fd.h"

namespace nightjar::cli {

// The control socket of a running broker.
inline constexpr char kControlSocketName[] = "nightjar.sock";
// The directory of the durable store.
inline constexpr char kStoreName[] = "store";

class DataDir {
 public:
  // Fails with the reason and the fix: no permission, not a directory, or in use by another broker.
  static Result<DataDir> open(const std::filesystem::path& path);
  // A new one that is removed with this object: for brokers that keep nothing.
  static Result<DataDir> temporary();
  ~DataDir();
  DataDir(DataDir&& other) noexcept
      : path_(std::move(other.path_)),
        lock_(std::move(other.lock_)),
        is_temporary_(std::exchange(other.is_temporary_, false)) {}
  DataDir& operator=(DataDir&&) = delete;
  // For who works on what a broker left there: nothing is made where nothing is.
  static Result<DataDir> open_existing(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path control_socket() const { return path_ / kControlSocketName; }
  [[nodiscard]] std::filesystem::path store() const { return path_ / kStoreName; }

 private:
  DataDir(std::filesystem::path path, net::Fd lock);
  static Result<DataDir> lock(std::filesystem::path path, std::string_view instead);

  std::filesystem::path path_;
  net::Fd lock_;  // the lock ends with the process, however it ends
  bool is_temporary_ = false;
};

// A broker runs on this directory, or something else that locks it. Changes nothing.
[[nodiscard]] bool broker_serves(const std::filesystem::path& path);

}  // namespace nightjar::cli
