// `nightjar bench relay`: what it costs to move the bytes of a load and nothing else, as the limit to compare
// brokers with. It understands CONNECT, SUBSCRIBE and the first PUBLISH of a connection, to learn who gets
// whose bytes; from then on it copies at QoS 0. One thread.
#pragma once

#include "cli/bench/options.h"

namespace nightjar::cli::bench {

// Until SIGTERM or SIGINT. Returns the exit status.
int run_relay(const RelayOptions& options);

}  // namespace nightjar::cli::bench
