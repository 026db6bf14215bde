// What `nightjar ctl stats` shows: the counters of every worker, taken on the workers themselves between two
// events, and what the process costs. Used by the control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "broker/counters.h"
#include "broker/node.h"
#include "cli/certificate_days.h"
#include "cli/tls_listeners.h"
#include "net/fd.h"
#include "net/mail_room.h"
#include "store/store_counters.h"

namespace nightjar::cli {

struct CertificateStats {
  std::vector<ServedCertificate> served{};
  std::optional<ClientCertificates> clients{};  // none if no listener asks for certificates
};

struct Stats {
  std::string version;
  std::int64_t process_id = 0;
  std::int64_t uptime_s = 0;
  std::uint64_t resident_bytes = 0;
  std::int64_t stranger_bytes = 0;  // of the network's part as well, which the workers do not count
  std::vector<broker::Counters> workers;
  std::optional<store::StoreFigures> store;  // none with durability = "memory"
  CertificateStats certificates{};
};

// Nothing if a worker did not answer in time.
std::optional<std::vector<broker::Counters>> collect_counters(net::MailRoom& mail);
// Resident memory of this process. What tells it is opened once, because it is wanted most when the process
// has no descriptors left. Any thread.
class ResidentMemory {
 public:
  ResidentMemory();
  // 0 if the system does not say.
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  net::Fd statm_;
};

// One JSON object: "ok", "node", "total", "workers", "certificates" and, where there are such, "store" and
// "client_certificates".
std::string to_json(const Stats& stats);

}  // namespace nightjar::cli
