// A broker started for a comparison: a shell command on a free port and in a new directory, both of which end
// with this object. One thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.h"

namespace nightjar::cli::bench {

class BrokerProcess {
 public:
  // `command` with {port} and {dir} still in it; returns when the port answers.
  static Result<BrokerProcess> start(const std::string& name, const std::string& command);
  BrokerProcess(BrokerProcess&& other) noexcept;
  BrokerProcess& operator=(BrokerProcess&& other) = delete;
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;
  ~BrokerProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& directory() const { return directory_; }

 private:
  BrokerProcess(std::uint16_t port, std::string directory);
  void stop();

  pid_t pid_ = 0;
  std::uint16_t port_;
  std::string directory_;
};

// `command` with every {port} and {dir} replaced.
std::string fill_in(std::string command, std::uint16_t port, const std::string& directory);

}  // namespace nightjar::cli::bench
