// Random numbers of the kernel for the core's Entropy port. Any thread.
#pragma once

#include <sys/random.h>

#include <cstdint>
#include <cstdlib>

#include "broker/ports.h"

namespace nightjar::cli {

class SystemEntropy final : public broker::Entropy {
 public:
  std::uint64_t next() override {
    std::uint64_t number = 0;
    // Requests this small are never cut short once the kernel's pool is ready, which getrandom waits for.
    if (::getrandom(&number, sizeof number, 0) != sizeof number) std::abort();
    return number;
  }
};

}  // namespace nightjar::cli
