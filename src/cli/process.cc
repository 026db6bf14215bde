#include "cli/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/log.h"

namespace nightjar::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUsualUser = "mosquitto";

// The process that the shell waits for: ends when the child is ready, or as the child ended.
[[noreturn]] void wait_for(pid_t child, int readable) {
  char byte = 0;
  ssize_t count = 0;
  do {
    count = ::read(readable, &byte, 1);
  } while (count < 0 && errno == EINTR);
  if (count == 1) ::_exit(0);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

const passwd* find_account(const std::string& user) {
  const passwd* account = ::getpwnam(user.c_str());
  if (account != nullptr || user != kUsualUser) return account;
  return ::getpwnam("nobody");
}

// Never through a symbolic link: in a directory that others write to it could point anywhere.
void give(const fs::path& path, const passwd& account) {
  [[maybe_unused]] const int ignored = ::lchown(path.c_str(), account.pw_uid, account.pw_gid);
}

void give_all(const fs::path& directory, const passwd& account) {
  std::error_code error;
  give(directory, account);
  for (fs::recursive_directory_iterator at{directory, error}, end; !error && at != end; at.increment(error)) {
    give(at->path(), account);
  }
}

}  // namespace

Result<Daemon> Daemon::detach() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return fail(fmt::format("cannot go to the background: {}", std::strerror(errno)));
  net::Fd readable{ends[0]};
  net::Fd writable{ends[1]};
  const pid_t child = ::fork();
  if (child < 0) return fail(fmt::format("cannot go to the background: {}", std::strerror(errno)));
  if (child != 0) {
    writable = net::Fd{};
    wait_for(child, readable.get());
  }
  ::setsid();
  return Daemon(std::move(writable));
}

void Daemon::is_ready() {
  const net::Fd nothing{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  if (nothing) {
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing.get(), standard);
  }
  const char byte = 1;
  [[maybe_unused]] const ssize_t written = ::write(waiting_.get(), &byte, 1);
  waiting_ = net::Fd{};
}

Result<PidFile> PidFile::write(const std::string& path) {
  if (path.empty()) return PidFile({});
  std::ofstream file(path, std::ios::trunc);
  if (!(file << ::getpid() << "\n" << std::flush)) {
    return fail(fmt::format("cannot write the process id to {}: {}; choose another pid_file", path,
                            std::strerror(errno)));
  }
  return PidFile(path);
}

PidFile::~PidFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

bool changes_user(const std::string& user) { return ::geteuid() == 0 && !user.empty() && user != "root"; }

Result<void> become(const std::string& user, const Belongings& belongings) {
  const passwd* account = find_account(user);
  if (account == nullptr) {
    return fail(fmt::format(
        "there is no user \"{}\" to become; add it (useradd --system {}) or change \"user\"", user, user));
  }
  give_all(belongings.data_dir, *account);
  if (!belongings.log_file.empty()) give(belongings.log_file, *account);
  if (::initgroups(account->pw_name, account->pw_gid) != 0 || ::setgid(account->pw_gid) != 0 ||
      ::setuid(account->pw_uid) != 0) {
    return fail(fmt::format("cannot become user {}: {}", account->pw_name, std::strerror(errno)));
  }
  if (::access(belongings.data_dir.c_str(), R_OK | W_OK | X_OK) != 0) {
    return fail(
        fmt::format("user {} cannot use the data directory {}: {}; let it through the directories above",
                    account->pw_name, belongings.data_dir, std::strerror(errno)));
  }
  log::info(fmt::format("runs as user {}", account->pw_name));
  return {};
}

}  // namespace nightjar::cli
