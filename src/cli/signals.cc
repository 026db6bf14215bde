#include "cli/signals.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace nightjar::cli {
namespace {

sigset_t our_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

// In a signal handler nothing but system calls is allowed.
void end_process(int) {
  constexpr std::string_view kText = "nightjar: a worker did not end in time; the process ends without it\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kText.data(), kText.size());
  ::_exit(1);
}

}  // namespace

void Signals::hold_hangup() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Result<Signals> Signals::catch_them() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGUSR1, SIG_IGN);  // scripts made for other daemons send it; it must not end this one
  const sigset_t set = our_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  net::Fd fd{::signalfd(-1, &set, SFD_CLOEXEC)};
  if (!fd) return fail(fmt::format("cannot receive signals: {}", std::strerror(errno)));
  return Signals(std::move(fd));
}

Signals::Signals(net::Fd fd) : fd_(std::move(fd)) {}

std::string_view Signals::wait_for_end(const Meanwhile& meanwhile) {
  for (;;) {
    pollfd readable{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    const int count = ::poll(&readable, 1, static_cast<int>(meanwhile.interval().ms));
    if (count == 0) meanwhile.on_interval();
    if (count <= 0) continue;
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != sizeof info) continue;  // EINTR
    if (info.ssi_signo == SIGTERM) return "SIGTERM";
    if (info.ssi_signo == SIGINT) return "SIGINT";
    meanwhile.on_hangup();
  }
}

void Signals::release() {
  const sigset_t set = our_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void Signals::end_process_after(unsigned seconds) {
  std::signal(SIGALRM, end_process);
  ::alarm(seconds);
}

}  // namespace nightjar::cli
