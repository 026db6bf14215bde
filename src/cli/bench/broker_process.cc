#include "cli/bench/broker_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include "cli/bench/nanoseconds.h"
#include "net/fd.h"

namespace nightjar::cli::bench {
namespace {

constexpr Nanoseconds kStartPatience = 60 * kSecond;
constexpr Nanoseconds kStopPatience = 10 * kSecond;
constexpr std::chrono::milliseconds kPoll{5};
constexpr int kNotStarted = 127;

sockaddr_in loopback(std::uint16_t port) {
  return {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

std::uint16_t free_port() {
  const net::Fd probe{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (bind(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return 0;
  getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

bool answers(std::uint16_t port) {
  const net::Fd probe{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const sockaddr_in address = loopback(port);
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// The end of what the broker printed.
std::string output_of(const std::string& directory) {
  constexpr std::size_t kShown = 500;
  std::ifstream file(directory + "/output.log");
  std::ostringstream text;
  text << file.rdbuf();
  std::string all = text.str();
  return all.size() > kShown ? all.substr(all.size() - kShown) : all;
}

Result<pid_t> spawn(const std::string& command, const std::string& directory) {
  // "exec" makes the broker itself our child, and not a shell that waits for it.
  const bool is_simple = command.find_first_of(";|&\n") == std::string::npos;
  const std::string line = is_simple ? "exec " + command : command;
  const std::string log = directory + "/output.log";
  const pid_t self = getpid();
  const pid_t pid = fork();
  if (pid < 0) return fail(fmt::format("cannot start a process: {}", std::strerror(errno)));
  if (pid > 0) return pid;
  // It ends with us, however we end.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != self) _exit(kNotStarted);
  setpgid(0, 0);
  const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (input < 0 || output < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
    _exit(kNotStarted);
  execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
  _exit(kNotStarted);
}

}  // namespace

std::string fill_in(std::string command, std::uint16_t port, const std::string& directory) {
  const auto replace = [&](std::string_view name, const std::string& value) {
    for (std::size_t at = 0; (at = command.find(name, at)) != std::string::npos; at += value.size()) {
      command.replace(at, name.size(), value);
    }
  };
  replace("{port}", std::to_string(port));
  replace("{dir}", directory);
  return command;
}

BrokerProcess::BrokerProcess(std::uint16_t port, std::string directory)
    : port_(port), directory_(std::move(directory)) {}

BrokerProcess::BrokerProcess(BrokerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      port_(other.port_),
      directory_(std::exchange(other.directory_, {})) {}

BrokerProcess::~BrokerProcess() { stop(); }

Result<BrokerProcess> BrokerProcess::start(const std::string& name, const std::string& command) {
  std::string directory = std::filesystem::temp_directory_path() / "nightjar-bench-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) {
    return fail(fmt::format("cannot make a directory like {}: {}", directory, std::strerror(errno)));
  }
  BrokerProcess process(free_port(), directory);
  NJ_TRY(process.pid_, spawn(fill_in(command, process.port_, directory), directory));
  const Nanoseconds deadline = now_ns() + kStartPatience;
  while (!answers(process.port_)) {
    int status = 0;
    const bool has_ended = waitpid(process.pid_, &status, WNOHANG) == process.pid_;
    if (has_ended) process.pid_ = 0;
    if (has_ended || now_ns() > deadline) {
      return fail(fmt::format("{} {}; its last output:\n{}", name,
                              has_ended ? "ended at once" : "does not listen", output_of(directory)));
    }
    std::this_thread::sleep_for(kPoll);
  }
  return process;
}

void BrokerProcess::stop() {
  if (pid_ != 0) {
    kill(-pid_, SIGTERM);
    const Nanoseconds deadline = now_ns() + kStopPatience;
    int status = 0;
    while (waitpid(pid_, &status, WNOHANG) == 0) {
      if (now_ns() > deadline) kill(-pid_, SIGKILL);
      std::this_thread::sleep_for(kPoll);
    }
  }
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

}  // namespace nightjar::cli::bench
