// `nightjar ctl`: looks into a running broker through the control socket in its data directory. One thread.
#pragma once

namespace nightjar::cli {

// argv[0] is "ctl". Returns the process's exit status: 0 done, 1 wrong usage, or the broker could not be
// asked.
int run_ctl(int argc, char** argv);

}  // namespace nightjar::cli
