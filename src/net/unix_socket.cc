#include "net/unix_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace nightjar::net {
namespace {

tl::unexpected<Error> cannot_listen(const std::string& path, std::string_view why) {
  return fail(fmt::format("cannot listen on {}: {}", path, why));
}

// What stands in the way at `path`; empty if it has been removed.
std::string remove_stale(const Address& address, const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return std::strerror(errno);
  if (!S_ISSOCK(found.st_mode)) return "there is a file of that name that is no socket; choose another path";
  const Fd probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!probe) return std::strerror(errno);
  const bool is_dead = ::connect(probe.get(), address.raw(), address.size) != 0 && errno == ECONNREFUSED;
  if (!is_dead) return "another process listens there; stop it or choose another path";
  return ::unlink(path.c_str()) == 0 ? "" : std::strerror(errno);
}

std::string explain(int error, const std::string& path) {
  switch (error) {
    case ENOENT:
      return "its directory does not exist; make it, or choose another path";
    case EACCES:
    case EROFS:
      return fmt::format("this process may not make a file there ({}); choose another path",
                         std::strerror(error));
    case ENOTDIR:
      return fmt::format("a part of {} is no directory", path);
    default:
      return std::strerror(error);
  }
}

}  // namespace

UnixSocketFile::UnixSocketFile(std::string path) : path_(std::move(path)) {
  struct stat made {};
  if (::lstat(path_.c_str(), &made) != 0) return;
  device_ = made.st_dev;
  inode_ = made.st_ino;
}

UnixSocketFile::~UnixSocketFile() {
  if (is_there()) ::unlink(path_.c_str());
}

bool UnixSocketFile::is_there() const {
  struct stat present {};
  return ::lstat(path_.c_str(), &present) == 0 && present.st_dev == device_ && present.st_ino == inode_;
}

Result<BoundUnixSocket> bind_unix_socket(const std::string& path, mode_t mode) {
  NJ_TRY(const Address address, unix_address(path));
  BoundUnixSocket bound{.socket = Fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)}};
  if (!bound.socket) return cannot_listen(path, std::strerror(errno));
  if (::bind(bound.socket.get(), address.raw(), address.size) != 0) {
    if (errno != EADDRINUSE) return cannot_listen(path, explain(errno, path));
    if (const std::string obstacle = remove_stale(address, path); !obstacle.empty()) {
      return cannot_listen(path, obstacle);
    }
    if (::bind(bound.socket.get(), address.raw(), address.size) != 0) {
      return cannot_listen(path, explain(errno, path));
    }
  }
  bound.file = std::make_unique<UnixSocketFile>(path);
  if (::chmod(path.c_str(), mode) != 0) return cannot_listen(path, std::strerror(errno));
  return bound;
}

Result<void> set_unix_socket_mode(const Address& address, mode_t mode) {
  const char* const path = reinterpret_cast<const sockaddr_un&>(address.storage).sun_path;
  if (::chmod(path, mode) == 0) return {};
  return fail(fmt::format("cannot change who may connect to {}: {}", path, std::strerror(errno)));
}

}  // namespace nightjar::net
