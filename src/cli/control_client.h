// One question to a running broker, as `nightjar ctl` asks it. Blocks; any thread.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "cli/control_http.h"
#include "cli/control_socket.h"

namespace nightjar::cli {

// The body of the answer, JSON. Fails with what to do when no broker runs on that data directory, and with
// the broker's own words when it refused.
Result<std::string> ask_broker(const std::filesystem::path& data_dir, const ControlRequest& request,
                               int patience_s = kControlPatienceS);

}  // namespace nightjar::cli
