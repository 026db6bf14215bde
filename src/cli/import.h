// `nightjar import`: Mosquitto's configuration and state as Nightjar's own. One thread; files only.
#pragma once

namespace nightjar::cli {

int run_import(int argc, char** argv);

}  // namespace nightjar::cli
