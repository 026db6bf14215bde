// How often passwords may be guessed: a bucket of attempts for each user at each peer address, another one
// for each address. One thread at a time; whoever does not know the key cannot aim at somebody's bucket.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "auth/recent_map.h"
#include "base/clock.h"

namespace nightjar::auth {

class Guesses {
 public:
  explicit Guesses(std::uint64_t key) : key_(key), buckets_(kBucketsMax) {}

  // Somebody at `peer` ("192.0.2.7:51234") is about to try a password of `user`. False: he has failed too
  // often, and waits.
  bool take(std::string_view user, std::string_view peer, MonoTime now);
  // It was the right one.
  void succeeded(std::string_view user, std::string_view peer, MonoTime now);
  // Attempts from there have failed, now or a while ago, and it never was this user.
  bool is_suspect(std::string_view user, std::string_view peer, MonoTime now);

  // Typing errors of a person, and a device that was given a new password a little later.
  static constexpr double kAttempts = 20;
  static constexpr Duration kNextAttempt = Duration::seconds(2);
  // Of all users at one address: many devices behind one router may be wrong for a while.
  static constexpr double kAttemptsOfAddress = 50;
  static constexpr Duration kNextAttemptOfAddress{100};

 private:
  struct Bucket {
    double left = 0;
    MonoTime at{};
    bool has_succeeded = false;
  };
  // The keys are hashes already.
  struct AsItIs {
    using is_avalanching = void;
    std::size_t operator()(std::uint64_t key) const { return key; }
  };
  static constexpr std::size_t kBucketsMax = 65'536;

  [[nodiscard]] std::uint64_t key_of(std::string_view user, std::string_view address) const;
  Bucket& bucket(std::uint64_t key, double size, Duration refill, MonoTime now);
  Bucket& of_pair(std::string_view user, std::string_view address, MonoTime now);
  Bucket& of_address(std::string_view address, MonoTime now);

  std::uint64_t key_;
  RecentMap<std::uint64_t, Bucket, AsItIs> buckets_;
};

// What of a peer one attacker holds: an IPv4 address, the upper half of an IPv6 address, else the text
// without its port.
std::string_view address_of(std::string_view peer, std::string& scratch);

}  // namespace nightjar::auth
