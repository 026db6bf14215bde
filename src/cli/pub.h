// `nightjar pub`: publishes from the command line, a file or the standard input. One thread.
#pragma once

namespace nightjar::cli {

// argv[0] is "pub". Returns the process's exit status, see exit_code.h.
int run_pub(int argc, char** argv);

}  // namespace nightjar::cli
