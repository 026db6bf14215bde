// Answers HTTP requests on the control socket, from its own thread: requests one at a time, in the order in
// which they are whole, while other clients may still be speaking or reading.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/result.h"
#include "cli/control_connection.h"
#include "cli/control_http.h"
#include "net/fd.h"
#include "net/system_clock.h"

namespace nightjar::cli {

// Called on the control thread.
using ControlAnswer = std::function<ControlResponse(const ControlRequest& request)>;

// Clients at a time. When one more comes, the one that has been longest without a whole request goes.
inline constexpr std::size_t kControlClientsMax = 32;

class ControlServer {
 public:
  static Result<std::unique_ptr<ControlServer>> start(const std::filesystem::path& socket,
                                                      ControlAnswer answer);
  // Waits for a request under way; removes the socket.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  ControlServer(std::filesystem::path path, net::Fd socket, net::Fd stop, ControlAnswer answer);
  void run();
  // False: it is time to end.
  bool wait_for_events();
  void accept_one();
  // False: nobody can be sent away for another one.
  bool make_room();
  [[nodiscard]] int patience_ms() const;

  std::filesystem::path path_;
  net::Fd socket_;
  net::Fd stop_;   // readable: end
  net::Fd spare_;  // given up when no descriptor is left, so that ctl works just then
  ControlAnswer answer_;
  net::SystemClock clock_;
  std::vector<std::unique_ptr<ControlConnection>> clients_;  // in the order in which they came
  MonoTime accepts_at_{};                                    // not before, for want of descriptors
  std::thread thread_;
};

}  // namespace nightjar::cli
