// `nightjar sub`: subscribes and prints what comes. One thread.
#pragma once

namespace nightjar::cli {

// argv[0] is "sub". Returns the process's exit status, see exit_code.h.
int run_sub(int argc, char** argv);

}  // namespace nightjar::cli
