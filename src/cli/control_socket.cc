#include "cli/control_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nightjar::cli {
namespace {

namespace fs = std::filesystem;

// A Unix address holds 108 characters; a longer path is reached through an open directory.
struct SocketName {
  sockaddr_un address{};
  net::Fd directory;
};

Result<SocketName> name_of(const fs::path& socket) {
  SocketName name;
  std::string text = socket.string();
  if (text.size() >= sizeof name.address.sun_path) {
    name.directory = net::Fd{::open(socket.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!name.directory)
      return fail(fmt::format("cannot open {}: {}", socket.parent_path().string(), std::strerror(errno)));
    text = fmt::format("/proc/self/fd/{}/{}", name.directory.get(), socket.filename().string());
  }
  name.address.sun_family = AF_UNIX;
  std::memcpy(name.address.sun_path, text.c_str(), text.size() + 1);
  return name;
}

const sockaddr* raw(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

std::string connect_problem(const fs::path& socket, int error) {
  const std::string directory = socket.parent_path().string();
  if (error == ENOENT || error == ECONNREFUSED) {
    return fmt::format(
        "no broker runs on the data directory {}; start it with \"nightjar serve --data {}\", or name "
        "the directory of the running one with --data",
        directory, directory);
  }
  if (error == EACCES) {
    return fmt::format("{} is closed to this user; run ctl as the user of the broker", socket.string());
  }
  return fmt::format("cannot talk to the broker through {}: {}", socket.string(), std::strerror(error));
}

}  // namespace

Result<net::Fd> listen_at(const fs::path& socket) {
  NJ_TRY(const SocketName name, name_of(socket));
  net::Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  ::unlink(name.address.sun_path);
  // The mode is that of the file from its first moment on.
  const mode_t old_mask = ::umask(0177);
  const bool is_bound = fd && ::bind(fd.get(), raw(name.address), sizeof name.address) == 0;
  const int error = errno;
  ::umask(old_mask);
  if (!is_bound) return fail(fmt::format("cannot create {}: {}", socket.string(), std::strerror(error)));
  if (::listen(fd.get(), 16) != 0)
    return fail(fmt::format("cannot listen on {}: {}", socket.string(), std::strerror(errno)));
  return fd;
}

Result<net::Fd> connect_to(const fs::path& socket) {
  std::error_code ignored;
  if (!fs::exists(socket.parent_path(), ignored)) return fail(connect_problem(socket, ENOENT));
  NJ_TRY(const SocketName name, name_of(socket));
  net::Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd || ::connect(fd.get(), raw(name.address), sizeof name.address) != 0) {
    return fail(connect_problem(socket, errno));
  }
  limit_silence(fd, kControlPatienceS);
  return fd;
}

void limit_silence(const net::Fd& connection, int seconds) {
  const timeval timeout{.tv_sec = seconds, .tv_usec = 0};
  ::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

bool is_trusted(const net::Fd& connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace nightjar::cli
