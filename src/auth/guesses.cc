#include "auth/guesses.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/keyed_hash.h"

namespace nightjar::auth {

std::string_view address_of(std::string_view peer, std::string& scratch) {
  const std::size_t colon = peer.rfind(':');
  std::string_view address = peer.substr(0, colon);
  if (!address.starts_with('[') || !address.ends_with(']')) return address;
  address = address.substr(1, address.size() - 2);
  in6_addr parsed{};
  if (::inet_pton(AF_INET6, std::string(address).c_str(), &parsed) != 1) return address;
  constexpr std::size_t kNetworkBytes = 8;
  scratch.assign(reinterpret_cast<const char*>(&parsed), kNetworkBytes);
  return scratch;
}

std::uint64_t Guesses::key_of(std::string_view user, std::string_view address) const {
  return keyed_hash(user, keyed_hash(address, key_));
}

Guesses::Bucket& Guesses::bucket(std::uint64_t key, double size, Duration refill, MonoTime now) {
  Bucket* found = buckets_.find(key);
  if (found == nullptr) return buckets_.put(key, {.left = size, .at = now});
  const double gained = static_cast<double>((now - found->at).ms) / static_cast<double>(refill.ms);
  found->left = std::min(size, found->left + gained);
  found->at = now;
  return *found;
}

Guesses::Bucket& Guesses::of_pair(std::string_view user, std::string_view address, MonoTime now) {
  return bucket(key_of(user, address), kAttempts, kNextAttempt, now);
}

Guesses::Bucket& Guesses::of_address(std::string_view address, MonoTime now) {
  return bucket(keyed_hash(address, ~key_), kAttemptsOfAddress, kNextAttemptOfAddress, now);
}

bool Guesses::take(std::string_view user, std::string_view peer, MonoTime now) {
  std::string scratch;
  const std::string_view address = address_of(peer, scratch);
  Bucket& pair = of_pair(user, address, now);
  const bool may_try = pair.left >= 1;
  if (may_try) pair.left -= 1;
  Bucket& all = of_address(address, now);
  all.left = std::max(0.0, all.left - 1);
  return may_try;
}

void Guesses::succeeded(std::string_view user, std::string_view peer, MonoTime now) {
  std::string scratch;
  const std::string_view address = address_of(peer, scratch);
  Bucket& pair = of_pair(user, address, now);
  pair.left = kAttempts;
  pair.has_succeeded = true;
  Bucket& all = of_address(address, now);
  all.left = std::min(kAttemptsOfAddress, all.left + 1);
}

bool Guesses::is_suspect(std::string_view user, std::string_view peer, MonoTime now) {
  std::string scratch;
  const std::string_view address = address_of(peer, scratch);
  const Bucket pair = of_pair(user, address, now);
  if (pair.left < kAttempts - 1) return true;
  return !pair.has_succeeded && of_address(address, now).left < 1;
}

}  // namespace nightjar::auth
