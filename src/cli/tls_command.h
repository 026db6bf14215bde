// `nightjar tls`: a plant's own small certificate authority, and what clients will say of a certificate. Used
// by the main thread.
#pragma once

namespace nightjar::cli {

int run_tls(int argc, char** argv);

}  // namespace nightjar::cli
