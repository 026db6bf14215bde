#include "net/rare_log_line.h"

#include <fmt/format.h>

#include <chrono>

#include "base/log.h"

namespace nightjar::net {
namespace {

constexpr std::int64_t kPauseS = 60;

std::int64_t now_s() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

}  // namespace

void RareLogLine::warn(std::string_view text, const std::string& listener) {
  const std::int64_t now = now_s();
  std::int64_t next = next_s_.load(std::memory_order_relaxed);
  if (now < next || !next_s_.compare_exchange_strong(next, now + kPauseS)) {
    left_out_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const std::uint64_t left_out = left_out_.exchange(0);
  log::warn(left_out == 0 ? std::string(text)
                          : fmt::format("{} ({} more of these since the last line)", text, left_out),
            {{"listener", listener}});
}

}  // namespace nightjar::net
