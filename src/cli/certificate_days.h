// How long certificates are still good for, and when that is worth a line in the log. Pure: the time comes
// from outside, in seconds since 1970. Used by one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace nightjar::cli {

// Whole days; negative: it has expired.
std::int64_t days_left(std::int64_t valid_until_s, std::int64_t now_s);

// Says once for each certificate that it ends in less than 30, 7 and 1 days, and once that it has expired.
class ExpiryNotices {
 public:
  // Before this nothing is said.
  static constexpr std::int64_t kFirstDays = 30;

  // `id` is the same for the same certificate only.
  bool is_due(const std::string& id, std::int64_t days_left);

 private:
  std::unordered_map<std::string, std::int64_t> said_;  // the last bound below which it was
};

// How the certificates of the clients that are connected stand.
struct ClientCertificates {
  std::uint64_t connected = 0;
  std::uint64_t end_within_30_days = 0;  // those that end sooner are among them
  std::uint64_t end_within_7_days = 0;
  std::uint64_t end_within_1_day = 0;
  std::uint64_t expired = 0;  // not among those above

  void count(std::int64_t days_left);
  ClientCertificates& operator+=(const ClientCertificates& other);
  friend bool operator==(const ClientCertificates&, const ClientCertificates&) = default;
};

}  // namespace nightjar::cli
