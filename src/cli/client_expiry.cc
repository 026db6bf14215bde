#include "cli/client_expiry.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "broker/durable/describe.h"

namespace nightjar::cli {
namespace {

std::string line_about(std::int64_t days_left) {
  if (days_left < 0) {
    return "TLS: a connected client's certificate has expired; it cannot connect again with it";
  }
  const std::string when =
      days_left == 0 ? "within a day" : "in " + broker::counted(static_cast<std::uint64_t>(days_left), "day");
  return fmt::format("TLS: a connected client's certificate expires {}; give it a new one before", when);
}

}  // namespace

void ClientExpiry::add(EndingCertificate client) {
  if (!notices_.is_due(client.fingerprint, client.days_left)) return;
  if (named_.size() < kNamedMax) {
    named_.push_back(std::move(client));
  } else {
    ++unnamed_;
  }
}

void ClientExpiry::write_log() {
  for (const EndingCertificate& client : named_) {
    log::warn(line_about(client.days_left),
              {{"client", client.client_id}, {"listener", client.listener}, {"subject", client.subject}});
  }
  if (unnamed_ != 0) {
    log::warn(fmt::format(
        "TLS: {} of connected clients end soon or have expired as well; \"nightjar ctl stats\" counts them",
        broker::counted(unnamed_, "certificate")));
  }
  named_.clear();
  unnamed_ = 0;
}

}  // namespace nightjar::cli
