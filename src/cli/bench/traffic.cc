#include "cli/bench/traffic.h"

#include <unistd.h>

#include <mutex>
#include <utility>

#include "cli/bench/identity.h"

namespace nightjar::cli::bench {

Traffic::Traffic(const Plan& load_plan, LoadSettings load_settings)
    : plan(load_plan), settings(std::move(load_settings)), pattern(settings.payload_bytes) {
  for (const StreamPlan& each : plan.streams) streams.push_back(std::make_unique<Stream>(each));
  fill_pattern(pattern.data(), pattern.size());
  run = check_word(static_cast<std::uint64_t>(getpid()), static_cast<std::uint64_t>(now_ns()), 0);
}

void Traffic::report(std::string problem) {
  const std::lock_guard guard(lock_);
  if (problem_.empty()) problem_ = std::move(problem);
}

std::string Traffic::problem() {
  const std::lock_guard guard(lock_);
  return problem_;
}

}  // namespace nightjar::cli::bench
