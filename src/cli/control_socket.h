// The Unix socket in a broker's data directory; control_http.h says what is spoken on it.
// Free functions over descriptors; any thread.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "net/fd.h"

namespace nightjar::cli {

// Silence after which ctl gives up.
inline constexpr int kControlPatienceS = 10;

// Only the user of the broker may connect. Replaces a socket that a killed broker left behind, so the caller
// holds the lock of the data directory.
Result<net::Fd> listen_at(const std::filesystem::path& socket);
// Fails with what to do when no broker runs there.
Result<net::Fd> connect_to(const std::filesystem::path& socket);

// Both sides set this on a connection, so that nobody waits for ever.
void limit_silence(const net::Fd& connection, int seconds);
// The peer is a process of this user or of root.
[[nodiscard]] bool is_trusted(const net::Fd& connection);

}  // namespace nightjar::cli
