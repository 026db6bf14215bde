// The command lines of `nightjar pub` and `nightjar sub`, parsed into settings and checked. The only place
// that knows the options' names. Reads the environment and the files that options name; any thread.
#pragma once

#include "cli/exit_code.h"
#include "cli/settings.h"

namespace nightjar::cli {

// argv[0] is the subcommand's name. A Failure with kOk carries the help text, for the standard output.
Outcome<PubSettings> parse_pub(int argc, const char* const* argv);
Outcome<SubSettings> parse_sub(int argc, const char* const* argv);

}  // namespace nightjar::cli
