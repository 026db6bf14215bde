#include "cli/data_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace nightjar::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kLockName[] = "nightjar.lock";

std::string read_holder(int lock) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(lock, text.data(), text.size() - 1, 0);
  const std::string_view pid{text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
  const std::string_view digits = pid.substr(0, pid.find_first_not_of("0123456789"));
  return digits.empty() ? "another broker" : fmt::format("the broker with process id {}", digits);
}

// What stands in the way and what would help.
std::string access_problem(const fs::path& path, int error) {
  struct stat status {};
  if (error != EACCES || ::stat(path.c_str(), &status) != 0) {
    return fmt::format("cannot use the data directory {}: {}; give another one with --data", path.string(),
                       std::strerror(error));
  }
  return fmt::format(
      "cannot use the data directory {}: it belongs to user {} with mode {:04o} and this is user {}; run "
      "\"chown {} "
      "{}\" as root or give another directory with --data",
      path.string(), status.st_uid, status.st_mode & 07777, ::geteuid(), ::geteuid(), path.string());
}

fs::path absolute_path(const fs::path& path) {
  std::error_code error;
  fs::path absolute = fs::absolute(path, error).lexically_normal();
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

}  // namespace

Result<DataDir> DataDir::open(const fs::path& path) {
  std::error_code error;
  fs::path absolute = absolute_path(path);
  const bool is_new = fs::create_directories(absolute, error);
  if (error == std::errc::permission_denied) return fail(access_problem(absolute.parent_path(), EACCES));
  if (error) {
    return fail(fmt::format("cannot use the data directory {}: {}; give another one with --data",
                            absolute.string(), error.message()));
  }
  // What clients store is nobody else's business.
  if (is_new) fs::permissions(absolute, fs::perms::owner_all, error);
  return lock(std::move(absolute), "stop it, or give this one its own directory with --data");
}

Result<DataDir> DataDir::temporary() {
  std::error_code error;
  std::string name = (fs::temp_directory_path(error) / "nightjar-XXXXXX").string();
  if (error || ::mkdtemp(name.data()) == nullptr) {
    return fail(
        fmt::format("cannot make a directory {}: {}; give one with --data", name, std::strerror(errno)));
  }
  auto made = open(name);
  if (made) made->is_temporary_ = true;
  return made;
}

DataDir::~DataDir() {
  std::error_code ignored;
  if (is_temporary_) fs::remove_all(path_, ignored);
}

Result<DataDir> DataDir::open_existing(const fs::path& path) {
  fs::path absolute = absolute_path(path);
  std::error_code error;
  if (!fs::is_directory(absolute, error)) {
    return fail(
        fmt::format("there is no data directory {}: give the broker's with --data", absolute.string()));
  }
  return lock(
      std::move(absolute),
      "stop it first; \"nightjar store backup DIR\" copies what it holds while it runs, and the copy can be "
      "looked at with --data DIR");
}

// `instead`: what to do when another process has it.
Result<DataDir> DataDir::lock(fs::path absolute, std::string_view instead) {
  net::Fd lock{::open((absolute / kLockName).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  if (!lock) return fail(access_problem(absolute, errno));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(fmt::format("the data directory {} is in use by {}; {}", absolute.string(),
                            read_holder(lock.get()), instead));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock.get(), 0) != 0 || ::pwrite(lock.get(), pid.data(), pid.size(), 0) < 0) {
    return fail(
        fmt::format("cannot write to the data directory {}: {}", absolute.string(), std::strerror(errno)));
  }
  return DataDir(std::move(absolute), std::move(lock));
}

bool broker_serves(const fs::path& path) {
  const net::Fd lock{::open((path / kLockName).c_str(), O_RDWR | O_CLOEXEC)};
  return lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0;
}

DataDir::DataDir(fs::path path, net::Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

}  // namespace nightjar::cli
