#include "cli/start_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>

#include "base/log.h"
#include "broker/durable/describe.h"
#include "config/units.h"

namespace nightjar::cli {
namespace {

using broker::counted;

constexpr std::uint32_t kNeverExpires = 0xFFFFFFFF;

bool is_loopback(const net::Address& address) {
  if (address.family() == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address.storage);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address.storage);
  return address.family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

std::string_view anonymous_clients(const ListeningAt& at) {
  if (at.address.family() == AF_UNIX) return "anonymous clients that may write to the socket";
  return is_loopback(at.address) ? "anonymous clients of this machine" : "ANONYMOUS clients from anywhere";
}

std::string who_may_enter(const ListeningAt& at, const auth::ListenerAccess& access) {
  std::vector<std::string> who;
  if (access.settings.user_from != auth::UserFrom::kNone)
    who.emplace_back("clients with a certificate or key");
  if (access.passwords) {
    who.push_back(
        fmt::format("{} of {}", counted(access.passwords->size(), "user"), access.settings.password_file));
  }
  if (at.policy->allow_anonymous) who.emplace_back(anonymous_clients(at));
  return who.empty() ? "nobody may enter" : fmt::format("{} may enter", fmt::join(who, ", "));
}

bool lets_nobody_in(const ListeningAt& at, const auth::ListenerAccess& access) {
  return !at.policy->allow_anonymous && !access.passwords &&
         access.settings.user_from == auth::UserFrom::kNone;
}

std::string expiry_text(std::uint32_t seconds) {
  if (seconds == kNeverExpires) return "are kept until the client ends them";
  return fmt::format("end after {} at most", config::format_duration(std::int64_t{seconds} * 1000));
}

void report_listener(const StartFacts& facts, const ListeningAt& at) {
  const std::string where{net::AddressText(at.address).view()};
  const auth::ListenerAccess& access = facts.access.of(at.policy->name);
  log::info(fmt::format("listening on {}: {}; {}; sessions of absent clients {}", where, at.speaks.words,
                        who_may_enter(at, access), expiry_text(at.policy->session_expiry_max_s)),
            {{"listener", at.policy->name}});
  if (access.rules) {
    log::info(fmt::format("what its clients may do is in {}", access.settings.acl_file),
              {{"listener", at.policy->name}});
  }
  if (!lets_nobody_in(at, access)) return;
  log::warn(
      fmt::format(
          "listener {} lets nobody in: no users are configured and anonymous clients are not allowed; "
          "name a {}, or set {} if everybody may enter",
          where, facts.is_mosquitto ? "password_file" : "password_file in [auth]",
          facts.is_mosquitto ? "\"allow_anonymous true\"" : "allow_anonymous = true in its [[listener]]"),
      {{"listener", at.policy->name}});
}

// The options of our own clients.
std::string way_to(const ListeningAt& at) {
  const bool has_port = at.address.family() != AF_UNIX && at.address.port() != 1883;
  return *at.speaks.client_options + (has_port ? fmt::format(" -p {}", at.address.port()) : "");
}

// How to reach the first listener that a client on this machine can enter.
std::string try_commands(const StartFacts& facts) {
  for (const ListeningAt& at : facts.listening) {
    if (!at.policy->allow_anonymous || !at.speaks.client_options) continue;
    return fmt::format(
        "nightjar sub{0} -t '#' -v  and in another terminal  nightjar pub{0} -t hello -m world", way_to(at));
  }
  return fmt::format("nightjar ctl stats --data {}", facts.data_dir.string());
}

void report_durability(const StartFacts& facts) {
  if (facts.loses_on_restart && facts.is_mosquitto) {
    log::warn(
        "the file has no \"persistence true\", so the promise of durability is off: what is acknowledged, "
        "sessions and retained messages are in memory only, a restart loses them");
    return;
  }
  if (facts.loses_on_restart) {
    log::warn(
        fmt::format("data directory {}; durability = \"memory\": sessions, queued and retained messages are "
                    "in memory only, a "
                    "restart loses them",
                    facts.data_dir.string()));
    return;
  }
  const broker::Restored& found = facts.restored;
  log::info(fmt::format("data directory {}; what is acknowledged survives {}", facts.data_dir.string(),
                        facts.durability == config::Durability::kFsync
                            ? "a power cut"
                            : "the end of the process, not a power cut"));
  log::info(fmt::format("came back: {} with {} and {}, {}, {}", counted(found.sessions, "session"),
                        counted(found.subscriptions, "subscription"), counted(found.messages, "message"),
                        counted(found.retained, "retained message"), counted(found.wills, "will")));
}

}  // namespace

void report_start(const StartFacts& facts) {
  log::info(fmt::format("nightjar {} serves with {} {} and room for {} sockets and files", facts.version,
                        facts.workers, facts.workers == 1 ? "worker" : "workers", facts.open_files_max));
  report_durability(facts);
  for (const ListeningAt& at : facts.listening) report_listener(facts, at);
  log::info("try: " + try_commands(facts));
}

}  // namespace nightjar::cli
