// A warning about what strangers do, which a stranger must not be able to flood the log with: at most one
// line a minute, with a count of those left out. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace nightjar::net {

class RareLogLine {
 public:
  // `listener` becomes a field of the line.
  void warn(std::string_view text, const std::string& listener);

 private:
  std::atomic<std::int64_t> next_s_{0};
  std::atomic<std::uint64_t> left_out_{0};
};

}  // namespace nightjar::net
