// `nightjar serve`: puts the broker together, runs it, ends it in good order. The main thread.
#pragma once

namespace nightjar::cli {

// argv[0] is "serve". Returns the process's exit status: 0 ended in good order, 1 could not start, 3 the
// configuration is wrong.
int run_serve(int argc, char** argv);

}  // namespace nightjar::cli
