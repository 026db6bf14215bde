// SIGTERM and SIGINT as something the main thread waits for. Made before other threads, which then never see
// them.
#pragma once

#include <functional>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "net/fd.h"

namespace nightjar::cli {

class Signals {
 public:
  // Blocks SIGTERM, SIGINT and SIGHUP in this thread and those it starts, and ignores SIGPIPE.
  static Result<Signals> catch_them();

  // Holds a SIGHUP back until catch_them() has been called and somebody waits: without that it ends a process
  // that is still reading its configuration.
  static void hold_hangup();

  struct Meanwhile {
    std::function<void()> on_hangup;  // each SIGHUP
    std::function<Duration()> interval;
    std::function<void()> on_interval;
  };
  // Blocks until somebody asks for the end; returns the signal's name.
  std::string_view wait_for_end(const Meanwhile& meanwhile);
  // From now on a further signal ends the process at once.
  void release();
  // Ends the process with status 1 when that much time has passed, whatever its threads do then.
  static void end_process_after(unsigned seconds);

 private:
  explicit Signals(net::Fd fd);
  net::Fd fd_;
};

}  // namespace nightjar::cli
