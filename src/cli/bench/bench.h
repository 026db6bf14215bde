// `nightjar bench`: measures any MQTT broker. Runs on the main thread.
#pragma once

namespace nightjar::cli {

// argv[0] is "bench". Returns the exit status: 0 measured and clean, 1 wrong usage, 2 could not be measured,
// 3 measured, but messages were lost, repeated, out of order or damaged.
int run_bench(int argc, char** argv);

}  // namespace nightjar::cli
