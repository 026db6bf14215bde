#include "cli/departures.h"

#include <fmt/format.h>

#include <limits>

#include "broker/durable/describe.h"
#include "cli/ask_worker.h"

namespace nightjar::cli {
namespace {

using Counts = Departures::Counts;

broker::Farewell farewell_of(Departures::Cause cause) {
  switch (cause) {
    case Departures::Cause::kListener:
      return {.why = "the listener was taken out of the configuration", .is_expected = true};
    case Departures::Cause::kUser:
      return {.code = mqtt::ReasonCode::kNotAuthorized,
              .why = "its user was removed or given another password"};
    case Departures::Cause::kAnonymous:
      break;
  }
  return {.code = mqtt::ReasonCode::kNotAuthorized,
          .why = "the listener does not allow anonymous clients any more"};
}

// Connections that nobody has a CONNECT of go as well, but they are no clients.
Counts ask_all(net::MailRoom& mail, const std::shared_ptr<const Departures>& departures, bool is_final,
               std::uint64_t newest) {
  std::vector<Asked<Counts>> asked;
  for (std::uint16_t i = 0; i < mail.workers(); ++i) {
    asked.push_back(ask_worker(mail, broker::WorkerIndex{i}, [=](broker::Worker& worker) {
      Counts counts;
      broker::judge_connections(worker, [&](const auto& client) -> std::optional<broker::Farewell> {
        if (client.ordinal > newest) return std::nullopt;
        const auto cause = departures->cause_of(client);
        if (!cause) return std::nullopt;
        if (client.ordinal != 0) ++counts[{client.policy.name, *cause}];
        if (!is_final) return std::nullopt;
        return farewell_of(*cause);
      });
      return counts;
    }));
  }
  Counts sum;
  for (auto& answer : asked) {
    for (const auto& [what, count] : answer.wait().value_or(Counts{})) sum[what] += count;
  }
  return sum;
}

}  // namespace

std::optional<Departures::Cause> Departures::cause_of(const broker::PresentClient& client) const {
  const auto fate = fates_.find(&client.policy);
  if (fate == fates_.end()) return std::nullopt;  // it came by what is served from now on
  if (!fate->second) return Cause::kListener;
  // Who has not said CONNECT yet will be judged by what holds then.
  if (client.ordinal == 0) return std::nullopt;
  switch (auth::lost_access(*before_, *now_, client.who, *fate->second, client.proof)) {
    case auth::Loss::kNone:
      return std::nullopt;
    case auth::Loss::kUser:
      return Cause::kUser;
    case auth::Loss::kAnonymous:
      break;
  }
  return Cause::kAnonymous;
}

Counts count_departures(net::MailRoom& mail, const std::shared_ptr<const Departures>& departures) {
  return ask_all(mail, departures, false, std::numeric_limits<std::uint64_t>::max());
}

Counts send_away(net::MailRoom& mail, const std::shared_ptr<const Departures>& departures,
                 std::uint64_t newest) {
  return ask_all(mail, departures, true, newest);
}

std::vector<std::string> describe(const Counts& counts) {
  std::vector<std::string> lines;
  for (const auto& [what, count] : counts) {
    const auto& [listener, cause] = what;
    const std::string clients =
        broker::counted(count, cause == Departures::Cause::kAnonymous ? "anonymous client" : "client");
    lines.push_back(
        fmt::format("listener \"{}\": {}{}", listener, clients,
                    cause == Departures::Cause::kUser ? " whose user is gone or has another password" : ""));
  }
  return lines;
}

}  // namespace nightjar::cli
