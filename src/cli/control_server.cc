#include "cli/control_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "cli/control_socket.h"

namespace nightjar::cli {
namespace {

constexpr Duration kRetry{100};

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
  while (wait_for_events()) {
    std::erase(clients_, nullptr);
    if (!spare_) spare_ = open_spare();
  }
}

bool ControlServer::wait_for_events() {
  const bool is_accepting = clock_.now() >= accepts_at_;
  std::vector<pollfd> watched{
      {.fd = stop_.get(), .events = POLLIN, .revents = 0},
      {.fd = socket_.get(), .events = static_cast<short>(is_accepting ? POLLIN : 0), .revents = 0}};
  for (const auto& client : clients_)
    watched.push_back({.fd = client->descriptor(), .events = client->awaited_events(), .revents = 0});
  if (::poll(watched.data(), watched.size(), patience_ms()) < 0) return true;  // EINTR
  if (watched[0].revents != 0) return false;
  // Before any answer, which may take long: what came meanwhile is not late.
  const MonoTime now = clock_.now();
  for (std::size_t i = 2; i < watched.size(); ++i) {
    std::unique_ptr<ControlConnection>& client = clients_[i - 2];
    const bool goes_on =
        watched[i].revents != 0 ? client->advance(clock_, answer_) : now < client->deadline();
    if (!goes_on) client.reset();
  }
  if (watched[1].revents != 0) accept_one();
  return true;
}

// Until the first deadline; for ever if there is none.
int ControlServer::patience_ms() const {
  const MonoTime now = clock_.now();
  MonoTime first = now < accepts_at_ ? accepts_at_ : kNever;
  for (const auto& client : clients_) first = std::min(first, client->deadline());
  if (first == kNever) return -1;
  return static_cast<int>(std::max<std::int64_t>(0, (first - now).ms));
}

void ControlServer::accept_one() {
  if (clients_.size() >= kControlClientsMax && !make_room()) {
    accepts_at_ = clock_.now() + kRetry;
    return;
  }
  const auto accept = [this] {
    return net::Fd{::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  };
  net::Fd connection = accept();
  if (!connection && (errno == EMFILE || errno == ENFILE)) {
    spare_.reset();
    connection = accept();
    // Not even the spare descriptor was left for us; asking again at once would only spin.
    if (!connection) accepts_at_ = clock_.now() + kRetry;
  }
  if (connection) {
    clients_.push_back(std::make_unique<ControlConnection>(std::move(connection), clock_.now()));
  }
}

bool ControlServer::make_room() {
  const auto idle = std::find_if(clients_.begin(), clients_.end(),
                                 [](const auto& client) { return client == nullptr || client->is_asking(); });
  if (idle == clients_.end()) return false;
  clients_.erase(idle);
  return true;
}

}  // namespace nightjar::cli
