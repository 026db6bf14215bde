#include "cli/control_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "cli/control_socket.h"

namespace nightjar::cli {
namespace {

// A silent client holds up the next one, and the end of the broker, for this long at most.
constexpr int kServerPatienceS = 2;
constexpr int kRetryMs = 100;

net::Fd open_spare() { return net::Fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}; }

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::filesystem::path& socket,
                                                            ControlAnswer answer) {
  NJ_TRY(net::Fd listening, listen_at(socket));
  net::Fd stop{::eventfd(0, EFD_CLOEXEC)};
  if (!stop) return fail(fmt::format("cannot start the control thread: {}", std::strerror(errno)));
  return std::unique_ptr<ControlServer>{
      new ControlServer(socket, std::move(listening), std::move(stop), std::move(answer))};
}

ControlServer::ControlServer(std::filesystem::path path, net::Fd socket, net::Fd stop, ControlAnswer answer)
    : path_(std::move(path)),
      socket_(std::move(socket)),
      stop_(std::move(stop)),
      spare_(open_spare()),
      answer_(std::move(answer)),
      thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "control");
}

ControlServer::~ControlServer() {
  const std::uint64_t one = 1;
  // Cannot fail: the counter is far from full.
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
  ::unlink(path_.c_str());
}

void ControlServer::run() {
  std::array<pollfd, 2> watched{{{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
  for (;;) {
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;  // EINTR
    if (watched[1].revents != 0) return;
    if (serve_one()) continue;
    // Not even the spare descriptor was left for us; asking again at once would only spin.
    ::poll(&watched[1], 1, kRetryMs);
  }
}

bool ControlServer::serve_one() {
  spare_.reset();
  bool is_accepted = false;
  {
    const net::Fd connection{::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    is_accepted = static_cast<bool>(connection);
    if (is_accepted) answer_on(connection);
  }
  spare_ = open_spare();
  return is_accepted;
}

ControlResponse ControlServer::respond(const net::Fd& connection,
                                       const Result<ControlRequest, ControlResponse>& request) {
  if (!is_trusted(connection)) return control_error(403, "only the user of the broker, and root, may ask");
  return request ? answer_(*request) : request.error();
}

// A client that breaks off hears nothing more; there is nobody to tell.
void ControlServer::answer_on(const net::Fd& connection) {
  limit_silence(connection, kServerPatienceS);
  const auto request = receive_request(connection);
  (void)send_response(connection, respond(connection, request));
}

}  // namespace nightjar::cli
