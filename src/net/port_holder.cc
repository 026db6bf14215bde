#include "net/port_holder.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

namespace nightjar::net {
namespace {

namespace fs = std::filesystem;

// State field of a listening socket in /proc/net/tcp.
constexpr std::string_view kListening = "0A";

// Inodes of the sockets that listen on `port`, from one table of /proc/net.
void collect_inodes(const fs::path& table, std::uint16_t port, std::set<std::string>& inodes) {
  std::ifstream in(table);
  std::string line;
  const std::string port_suffix = fmt::format(":{:04X}", port);
  while (std::getline(in, line)) {
    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
    std::istringstream fields(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode;
    if (state == kListening && local.ends_with(port_suffix)) inodes.insert("socket:[" + inode + "]");
  }
}

bool holds_one_of(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code error;
  for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end; fd.increment(error)) {
    const fs::path target = fs::read_symlink(fd->path(), error);
    if (!error && inodes.contains(target.string())) return true;
    error.clear();
  }
  return false;
}

std::optional<std::string> find_process(const fs::path& proc, const std::set<std::string>& inodes) {
  std::error_code error;
  for (fs::directory_iterator entry(proc, error), end; !error && entry != end; entry.increment(error)) {
    const std::string pid = entry->path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (!holds_one_of(entry->path(), inodes)) continue;
    std::ifstream comm(entry->path() / "comm");
    std::string name;
    std::getline(comm, name);
    return fmt::format("process {} ({})", pid, name);
  }
  return std::nullopt;
}

}  // namespace

std::string port_holder(std::uint16_t port, const fs::path& proc) {
  std::set<std::string> inodes;
  collect_inodes(proc / "net/tcp", port, inodes);
  collect_inodes(proc / "net/tcp6", port, inodes);
  if (!inodes.empty()) {
    if (auto process = find_process(proc, inodes)) return *process;
  }
  return fmt::format("another process (as root, \"ss -ltnp 'sport = :{}'\" names it)", port);
}

}  // namespace nightjar::net
