#include "cli/bench/process_meter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace nightjar::cli::bench {
namespace {

double clock_s(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void add_children(pid_t pid, std::vector<pid_t>& out) {
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), ignored)) {
    std::ifstream children(task.path() / "children");
    for (pid_t child = 0; children >> child;) {
      out.push_back(child);
      add_children(child, out);
    }
  }
}

std::uint64_t resident_bytes(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  std::uint64_t all_pages = 0;
  std::uint64_t resident_pages = 0;
  file >> all_pages >> resident_pages;
  return resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t private_bytes(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/smaps_rollup", pid));
  std::uint64_t kib = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("Private_")) kib += std::stoull(line.substr(line.find(':') + 1));
  }
  return kib * 1024;
}

}  // namespace

Result<ProcessMeter> ProcessMeter::open(const std::vector<pid_t>& pids) {
  std::vector<pid_t> all;
  for (const pid_t pid : pids) {
    all.push_back(pid);
    add_children(pid, all);
  }
  ProcessMeter meter;
  for (const pid_t pid : all) {
    clockid_t clock{};
    if (clock_getcpuclockid(pid, &clock) != 0) return fail(fmt::format("there is no process {}", pid));
    meter.processes_.push_back({pid, clock});
  }
  return meter;
}

ProcessUsage ProcessMeter::read() const {
  ProcessUsage usage;
  for (const Process& process : processes_) {
    usage.cpu_s += clock_s(process.cpu_clock);
    usage.resident_bytes += resident_bytes(process.pid);
  }
  return usage;
}

ProcessUsage ProcessMeter::read_with_private() const {
  ProcessUsage usage = read();
  for (const Process& process : processes_) usage.private_bytes += private_bytes(process.pid);
  return usage;
}

double own_cpu_s() { return clock_s(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace nightjar::cli::bench
