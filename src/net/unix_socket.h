// Listening Unix sockets: making the file, taking over one that a dead process left, and removing it at the
// end. Used by one thread.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "net/address.h"
#include "net/fd.h"

namespace nightjar::net {

// The file of a bound socket; removed with this object, if it is still the same file.
class UnixSocketFile {
 public:
  explicit UnixSocketFile(std::string path);
  ~UnixSocketFile();
  UnixSocketFile(const UnixSocketFile&) = delete;
  UnixSocketFile& operator=(const UnixSocketFile&) = delete;

  // False: somebody removed it, or put another in its place, and nobody can connect by it any more.
  [[nodiscard]] bool is_there() const;

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

struct BoundUnixSocket {
  Fd socket;
  std::unique_ptr<UnixSocketFile> file;
};

// Binds `path`; nobody can connect before listen(). A socket file that nobody listens on is replaced. `mode`
// says who may connect.
Result<BoundUnixSocket> bind_unix_socket(const std::string& path, mode_t mode);

// Says anew who may connect to a bound socket.
Result<void> set_unix_socket_mode(const Address& address, mode_t mode);

}  // namespace nightjar::net
