// Who has to go when a broker takes up another configuration, and why: the same rules say it beforehand and
// do it. Does not change once it was made; any worker may ask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "auth/access.h"
#include "broker/control.h"
#include "cli/listeners.h"
#include "net/mail_room.h"

namespace nightjar::cli {

class Departures {
 public:
  Departures(std::shared_ptr<const auth::Access> before, std::shared_ptr<const auth::Access> now,
             Listeners::Fates fates)
      : before_(std::move(before)), now_(std::move(now)), fates_(std::move(fates)) {}

  enum class Cause : std::uint8_t { kListener, kUser, kAnonymous };
  // Nothing: the client may stay.
  [[nodiscard]] std::optional<Cause> cause_of(const broker::PresentClient& client) const;

  // How many have to go, by listener and cause.
  using Counts = std::map<std::pair<std::string, Cause>, std::size_t>;

 private:
  std::shared_ptr<const auth::Access> before_;
  std::shared_ptr<const auth::Access> now_;
  Listeners::Fates fates_;
};

// How many would have to go now. Waits for the workers; no worker.
Departures::Counts count_departures(net::MailRoom& mail, const std::shared_ptr<const Departures>& departures);
// Sends them away, those with an ordinal of `newest` at most; how many they were.
Departures::Counts send_away(net::MailRoom& mail, const std::shared_ptr<const Departures>& departures,
                             std::uint64_t newest);

// "listener \"plain\": 17 clients", a line for each listener and cause.
std::vector<std::string> describe(const Departures::Counts& counts);

}  // namespace nightjar::cli
