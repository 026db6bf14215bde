// The Unix socket in a broker's data directory: one request line, one answer, close.
// Free functions over descriptors; any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/fd.h"

namespace nightjar::cli {

// A request is a short command; an answer grows with the number of workers.
inline constexpr std::size_t kControlRequestBytesMax = 64 * 1024;
inline constexpr std::size_t kControlAnswerBytesMax = 16 * 1024 * 1024;
// Silence after which ctl gives up.
inline constexpr int kControlPatienceS = 10;

// Only the user of the broker may connect. Replaces a socket that a killed broker left behind, so the caller
// holds the lock of the data directory.
Result<net::Fd> listen_at(const std::filesystem::path& socket);
// Fails with what to do when no broker runs there.
Result<net::Fd> connect_to(const std::filesystem::path& socket);

// Both sides set this on a connection, so that nobody waits for ever.
void limit_silence(const net::Fd& connection, int seconds);
Result<void> send_line(const net::Fd& connection, std::string_view line);
// Without the line feed.
Result<std::string> receive_line(const net::Fd& connection, std::size_t bytes_max);

}  // namespace nightjar::cli
