// How the broker lives as a process: in the background, with its id in a file, as a user who is not root.
// Called by the main thread.
#pragma once

#include <string>

#include "base/result.h"
#include "net/fd.h"

namespace nightjar::cli {

// A broker in the background. The process that the shell waits for stays until the broker serves, and ends
// with its status: whoever starts it learns whether it could.
class Daemon {
 public:
  // Forks, so no other thread may run yet. Returns in the child only.
  static Result<Daemon> detach();

  // The broker serves: the waiting process ends with status 0, and the terminal is let go.
  void is_ready();

 private:
  explicit Daemon(net::Fd waiting) : waiting_(std::move(waiting)) {}
  net::Fd waiting_;
};

// A file that holds the process id while this object lives.
class PidFile {
 public:
  // No file for an empty `path`.
  static Result<PidFile> write(const std::string& path);
  PidFile(PidFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  PidFile& operator=(PidFile&&) = delete;
  ~PidFile();

 private:
  explicit PidFile(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// What a process may open and write as another user, it must be given before.
struct Belongings {
  std::string data_dir;  // with all that is in it
  std::string log_file;  // empty: none
};

// True if root is to become `user`: it runs as root, and there is a user to become.
bool changes_user(const std::string& user);
// Root becomes `user` for good, in all threads, with what belongs to the broker. The account "mosquitto" may
// be missing: then it is "nobody".
Result<void> become(const std::string& user, const Belongings& belongings);

}  // namespace nightjar::cli
