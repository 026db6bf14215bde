// The configuration on the control socket: GET /api/v1/config shows each key with its value and where that
// comes from, POST /api/v1/reload takes up the file anew or, with {"plan": true}, says what that would do.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/control_commands.h"

namespace nightjar::cli {

class RunningBroker;

// `broker` outlives the commands.
void add_config_routes(ControlCommands& commands, RunningBroker& broker);

// Lines of a plan, for people and for the log: `queue.max_messages: 10 -> 20 (at once)`.
Result<std::string> reload_table(std::string_view answer);
// The answer to GET /api/v1/config as lines of a file.
Result<std::string> config_table(std::string_view answer);
// The same with the origin of each value.
Result<std::string> config_table_with_origins(std::string_view answer);

}  // namespace nightjar::cli
