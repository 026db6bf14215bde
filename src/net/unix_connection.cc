#include "net/unix_connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <utility>

namespace nightjar::net {

UnixConnection::UnixConnection(Fd socket, const Address& at, std::unique_ptr<StreamFilter> filter)
    : Connection(std::move(socket), at, std::move(filter)), where_(AddressText(at).view()) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) own_proof_.unix_user = peer.uid;
}

std::string UnixConnection::peer() const {
  if (is_spoken_for()) return Connection::peer();
  return own_proof_.unix_user ? fmt::format("{} uid {}", where_, *own_proof_.unix_user) : where_;
}

const broker::PeerProof* UnixConnection::proof() const {
  const broker::PeerProof* const proven = Connection::proof();
  return proven != nullptr ? proven : &own_proof_;
}

}  // namespace nightjar::net
