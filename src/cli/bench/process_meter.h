// What other processes use: CPU time to the nanosecond, and memory. Reads /proc; any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <vector>

#include "base/result.h"

namespace nightjar::cli::bench {

struct ProcessUsage {
  double cpu_s = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t private_bytes = 0;  // resident and not shared with others; only read when asked for
};

class ProcessMeter {
 public:
  // Of these processes and those that they have started by now. Without any it reads zeros.
  static Result<ProcessMeter> open(const std::vector<pid_t>& pids);

  [[nodiscard]] bool is_empty() const { return processes_.empty(); }
  [[nodiscard]] ProcessUsage read() const;
  // Also the private bytes: the kernel walks the page tables for them, so not while the load runs.
  [[nodiscard]] ProcessUsage read_with_private() const;

 private:
  struct Process {
    pid_t pid;
    clockid_t cpu_clock;
  };
  std::vector<Process> processes_;
};

// CPU time of this process.
double own_cpu_s();

}  // namespace nightjar::cli::bench
