#include "cli/spare_memory.h"

#include <malloc.h>

#include <algorithm>

namespace nightjar::cli {
namespace {

// Less than this is what a broker without clients has; there is nothing to gain.
constexpr std::uint64_t kResidentBytesMin = 16 * 1024 * 1024;
constexpr std::uint64_t kGainBytesMin = 4 * 1024 * 1024;
constexpr Duration kWorkMin{100};
// Of one block, and of all that lies free at the end of a thread's heap.
constexpr int kKeptBlockBytesMax = 8 * 1024 * 1024;
constexpr int kKeptBytesMax = 32 * 1024 * 1024;
constexpr Duration kWorkMax = Duration::seconds(100);
// More work than this in an interval is a load that will want its memory again: a fifth of a core.
constexpr Duration kQuietMax{SpareMemory::kInterval.ms / 5};

}  // namespace

bool SpareMemory::look(Duration cpu_time, std::uint64_t resident_bytes) {
  const Duration lately{cpu_time.ms - last_cpu_.ms};
  const Duration since_trim{cpu_time.ms - trimmed_cpu_.ms};
  last_cpu_ = cpu_time;
  if (resident_bytes < kResidentBytesMin || since_trim < work_min_ || lately > kQuietMax) return false;
  trimmed_cpu_ = cpu_time;
  return true;
}

void SpareMemory::trimmed(std::uint64_t resident_before, std::uint64_t resident_after) {
  const bool is_worth_it = resident_before >= resident_after + kGainBytesMin;
  work_min_ = is_worth_it ? kWorkMin : std::min(kWorkMax, Duration{work_min_.ms * 2});
}

void give_memory_back() { ::malloc_trim(0); }

void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, kKeptBlockBytesMax);
  ::mallopt(M_TRIM_THRESHOLD, kKeptBytesMax);
}

}  // namespace nightjar::cli
