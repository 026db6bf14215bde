// When to give memory that the allocator keeps back to the system. glibc does so by itself only for what lies
// at the top of a heap: one message that lives on keeps everything below it resident, for days if nothing
// grows. Looking for what is free takes a lock of every worker's heap, so it is done after a load and not
// during it. Pure; used by one thread.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace nightjar::cli {

class SpareMemory {
 public:
  // How often look() is to be called.
  static constexpr Duration kInterval = Duration::seconds(5);

  // `cpu_time` of the process so far. True if now is the time to trim.
  bool look(Duration cpu_time, std::uint64_t resident_bytes);
  // What it brought. In a heap full of holes it brings little and takes long, so it is tried less and less
  // often.
  void trimmed(std::uint64_t resident_before, std::uint64_t resident_after);

 private:
  Duration work_min_{100};  // nobody frees much memory with less work than this
  Duration last_cpu_{};
  Duration trimmed_cpu_{};  // when it was trimmed last
};

// Does it.
void give_memory_back();
// Between two trims freed memory stays with the process, as a large packet is seldom the last: the kernel
// would have to clear every page of the next one. Before the first thread is started.
void keep_freed_memory();

}  // namespace nightjar::cli
