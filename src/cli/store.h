// `nightjar store`: looks after what a broker keeps. Main thread.
#pragma once

namespace nightjar::cli {

// argv[0] is "store". Returns the exit status: 0 nothing is wrong, 1 something is damaged or lost, 2 not
// done.
int run_store(int argc, char** argv);

}  // namespace nightjar::cli
