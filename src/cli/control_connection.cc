#include "cli/control_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "cli/control_socket.h"

namespace nightjar::cli {
namespace {

bool is_for_later() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

ControlConnection::ControlConnection(net::Fd socket, MonoTime now)
    : socket_(std::move(socket)), deadline_(now + kControlRequestTime) {}

short ControlConnection::awaited_events() const { return is_asking() ? POLLIN : POLLOUT; }

bool ControlConnection::advance(const Clock& clock,
                                const std::function<ControlResponse(const ControlRequest&)>& respond) {
  if (is_asking()) {
    if (!read(respond)) return false;
    if (is_asking()) return true;
    deadline_ = clock.now() + kControlAnswerTime;
  }
  return write(clock);
}

// A client that breaks off hears nothing more; there is nobody to tell.
bool ControlConnection::read(const std::function<ControlResponse(const ControlRequest&)>& respond) {
  std::array<char, 16384> chunk;
  const ssize_t count = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
  if (count <= 0) return count < 0 && is_for_later();
  const auto request = request_.take({chunk.data(), static_cast<std::size_t>(count)});
  if (!request) return true;
  if (!is_trusted(socket_)) {
    answer_ = text_of(control_error(403, "only the user of the broker, and root, may ask"));
  } else {
    answer_ = text_of(*request ? respond(**request) : request->error());
  }
  return true;
}

bool ControlConnection::write(const Clock& clock) {
  while (sent_ < answer_.size()) {
    const ssize_t sent = ::send(socket_.get(), answer_.data() + sent_, answer_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0) return is_for_later();
    sent_ += static_cast<std::size_t>(sent);
    deadline_ = clock.now() + kControlAnswerTime;
  }
  return false;
}

}  // namespace nightjar::cli
