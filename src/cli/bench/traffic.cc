#include "cli/bench/traffic.h"

#include <unistd.h>

#include <cstring>
#include <mutex>
#include <utility>

#include "cli/bench/identity.h"

namespace nightjar::cli::bench {

std::optional<sockaddr_in> source_address(const Address& broker, std::uint64_t client) {
  constexpr std::uint64_t kPerAddress = 20'000;
  constexpr std::uint32_t kLoopbackNetwork = 127;
  if (client < kPerAddress || broker.storage.ss_family != AF_INET) return std::nullopt;
  sockaddr_in source{};
  std::memcpy(&source, &broker.storage, sizeof source);
  const std::uint32_t host = ntohl(source.sin_addr.s_addr);
  if (host >> 24U != kLoopbackNetwork) return std::nullopt;
  source.sin_port = 0;
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(client / kPerAddress));
  return source;
}

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

void Traffic::note_tls_suite(const net::TlsClientStream& tls) {
  if (has_tls_suite_.exchange(true, std::memory_order_relaxed)) return;
  const std::lock_guard guard(lock_);
  tls_suite_ = tls.suite();
}

std::string Traffic::tls_suite() {
  const std::lock_guard guard(lock_);
  return tls_suite_;
}

std::string Traffic::problem() {
  const std::lock_guard guard(lock_);
  return problem_;
}

}  // namespace nightjar::cli::bench
