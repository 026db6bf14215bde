// One client of the control socket: its request comes, its answer goes, and it is at its end when it takes
// too long about either. Never blocks. Lives on the control thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/clock.h"
#include "cli/control_http.h"
#include "net/fd.h"

namespace nightjar::cli {

// From the first moment to the whole request. `nightjar ctl` sends its own at once.
inline constexpr Duration kControlRequestTime = Duration::seconds(2);
// Without taking a byte of the answer.
inline constexpr Duration kControlAnswerTime = Duration::seconds(10);

class ControlConnection {
 public:
  // `socket` does not block.
  ControlConnection(net::Fd socket, MonoTime now);

  [[nodiscard]] int descriptor() const { return socket_.get(); }
  // What to wait for, in the words of poll().
  [[nodiscard]] short awaited_events() const;
  [[nodiscard]] bool is_asking() const { return answer_.empty(); }
  // When it is given up.
  [[nodiscard]] MonoTime deadline() const { return deadline_; }

  // Reads and writes what is possible; `respond` is called once the request is whole. False: it is done.
  bool advance(const Clock& clock, const std::function<ControlResponse(const ControlRequest&)>& respond);

 private:
  bool read(const std::function<ControlResponse(const ControlRequest&)>& respond);
  bool write(const Clock& clock);

  net::Fd socket_;
  MonoTime deadline_;
  ControlRequestReader request_;
  std::string answer_;  // empty: the request is not whole
  std::size_t sent_ = 0;
};

}  // namespace nightjar::cli
