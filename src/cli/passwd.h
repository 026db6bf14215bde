// `nightjar passwd`: makes and changes password files. Main thread.
#pragma once

namespace nightjar::cli {

// argv[0] is "passwd". Returns the exit status: 0 done, 1 not done, and the file is as it was.
int run_passwd(int argc, char** argv);

}  // namespace nightjar::cli
