// Answers HTTP requests on the control socket, from its own thread, one at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <thread>

#include "base/result.h"
#include "cli/control_http.h"
#include "net/fd.h"

namespace nightjar::cli {

// Called on the control thread.
using ControlAnswer = std::function<ControlResponse(const ControlRequest& request)>;

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
  // False: there was no descriptor for the connection.
  bool serve_one();
  void answer_on(const net::Fd& connection);
  ControlResponse respond(const net::Fd& connection, const Result<ControlRequest, ControlResponse>& request);

  std::filesystem::path path_;
  net::Fd socket_;
  net::Fd stop_;   // readable: end
  net::Fd spare_;  // given up for a moment when no descriptor is left, so that ctl works just then
  ControlAnswer answer_;
  std::thread thread_;
};

}  // namespace nightjar::cli
