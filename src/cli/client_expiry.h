// Which connected clients the log mentions because their certificates end soon or have expired: each once at
// 30, 7 and 1 days and at the end, and never many at one time. Used by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/certificate_days.h"

namespace nightjar::cli {

struct EndingCertificate {
  std::string client_id;
  std::string listener;
  std::string subject;
  std::string fingerprint;
  std::int64_t days_left = 0;
};

class ClientExpiry {
 public:
  // Lines for one look at all clients: a fleet whose certificates were made on one day must not fill the log.
  static constexpr std::size_t kNamedMax = 10;

  // During a look.
  void add(EndingCertificate client);
  // At its end.
  void write_log();

 private:
  ExpiryNotices notices_;
  std::vector<EndingCertificate> named_;
  std::size_t unnamed_ = 0;
};

}  // namespace nightjar::cli
