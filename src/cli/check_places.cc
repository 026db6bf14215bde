#include "cli/check_places.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "cli/log_sink.h"
#include "cli/serve_config.h"
#include "config/difference.h"
#include "config/load.h"
#include "net/listener.h"

namespace nightjar::cli {
namespace {

namespace fs = std::filesystem;

class Places {
 public:
  Places(const config::Config& config, int broker) : config_(config), broker_(broker) {}

  PlaceFindings look() {
    look_at_data_dir();
    look_at_log(config_.log.destination);
    for (const std::string& destination : config_.log.more_destinations) look_at_log(destination);
    look_at_file(config_.process.pid_file, "node", "pid_file");
    for (const config::ListenerConfig& listener : config_.listeners) {
      listener.unix_path.empty() ? look_at_addresses(listener) : look_at_socket(listener);
    }
    return std::move(found_);
  }

 private:
  void fail_start(std::string_view section, std::string_view key, std::string_view text) {
    found_.problems.push_back(config::said_at(config_, std::string(section), std::string(key)) +
                              std::string(text));
  }
  void warn(std::string_view section, std::string_view key, std::string_view text) {
    found_.warnings.push_back(config::said_at(config_, std::string(section), std::string(key)) +
                              std::string(text));
  }

  void look_at_data_dir() {
    const std::string& path = config_.node.data_dir;
    std::error_code ignored;
    if (path.empty() || !fs::exists(path, ignored)) return;
    if (!fs::is_directory(path, ignored))
      return fail_start("node", "data", fmt::format("{} is no directory; choose another one", path));
    if (::access(path.c_str(), W_OK | X_OK) != 0)
      warn("node", "data", fmt::format("user {} may not write in {}", ::geteuid(), path));
  }

  void look_at_log(const std::string& destination) {
    if (is_log_file(destination)) look_at_file(destination, "log", "destination");
  }

  // One that will be written.
  void look_at_file(const std::string& path, std::string_view section, std::string_view key) {
    if (path.empty()) return;
    std::error_code ignored;
    if (fs::is_directory(path, ignored))
      return fail_start(section, key, fmt::format("{} is a directory; choose a file", path));
    if (fs::exists(path, ignored)) {
      if (::access(path.c_str(), W_OK) != 0)
        warn(section, key, fmt::format("user {} may not write to {}", ::geteuid(), path));
      return;
    }
    look_at_folder(path, section, key);
  }

  void look_at_folder(const std::string& path, std::string_view section, std::string_view key) {
    const std::string folder = fs::absolute(path).parent_path().string();
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored)) {
      return fail_start(
          section, key,
          fmt::format("the folder {0} does not exist; create it (mkdir -p {0}) or choose another one",
                      folder));
    }
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
      warn(section, key, fmt::format("user {} may not make a file in {}", ::geteuid(), folder));
  }

  void look_at_socket(const config::ListenerConfig& listener) {
    if (!claim(listener, "unix:" + listener.unix_path, "path")) return;
    struct stat found {};
    if (::lstat(listener.unix_path.c_str(), &found) != 0)
      return look_at_folder(listener.unix_path, listener.label, "path");
    if (!S_ISSOCK(found.st_mode)) {
      fail_start(
          listener.label, "path",
          fmt::format("there is a file {} that is no socket; choose another path", listener.unix_path));
    }
  }

  void look_at_addresses(const config::ListenerConfig& listener) {
    const auto addresses = addresses_of(listener);
    if (!addresses) return;  // said when it was read
    for (net::Address address : *addresses) {
      const bool is_v6_of_both = addresses->size() > 1 && address.family() == AF_INET6;
      if (!claim(listener, std::string(net::AddressText(address).view()), "port")) continue;
      const auto bound = net::bind_sockets(address, 1);
      if (bound || is_v6_of_both || is_own(bound.error().message)) continue;
      const char* const key = bound.error().is_about_port ? "port" : "address";
      warn(listener.label, key, bound.error().message);
    }
  }

  [[nodiscard]] bool is_own(const std::string& held) const {
    return broker_ != 0 &&
           (broker_ < 0 || held.find(fmt::format("process {} ", broker_)) != std::string::npos);
  }

  // False: another listener has it.
  bool claim(const config::ListenerConfig& listener, const std::string& address, std::string_view key) {
    const auto [first, is_new] = claimed_.try_emplace(address, config::name_of(listener));
    if (!is_new) {
      fail_start(listener.label, key,
                 fmt::format("{} is listener \"{}\"'s already; choose another one", address, first->second));
    }
    return is_new;
  }

  const config::Config& config_;
  const int broker_;
  std::map<std::string, std::string> claimed_;  // address and listener
  PlaceFindings found_;
};

}  // namespace

PlaceFindings check_places(const config::Config& config, int broker) { return Places(config, broker).look(); }

}  // namespace nightjar::cli
