// `nightjar doctor`: what on this machine limits a broker, and how to change it. One thread.
#pragma once

#include "config/config.h"

namespace nightjar::cli {

// argv[0] is "doctor". Returns the process's exit status: 0 no warning, 1 warnings, 2 wrong options, 3 the
// configuration is wrong.
int run_doctor(int argc, char** argv);

// Logs what keeps clients out of a broker that is about to serve with `config`; nothing when all is well.
void warn_about_machine(const config::Config& config);

}  // namespace nightjar::cli
