#include "cli/who_may_enter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>

#include <string_view>
#include <vector>

#include "broker/durable/describe.h"

namespace nightjar::cli {
namespace {

bool is_loopback(const net::Address& address) {
  if (address.family() == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address.storage);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address.storage);
  return address.family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

std::string_view anonymous_at(const net::Address& address) {
  if (address.family() == AF_UNIX) return "anonymous clients that may write to the socket";
  return is_loopback(address) ? "anonymous clients of this machine" : "ANONYMOUS clients from anywhere";
}

}  // namespace

std::string who_may_enter(const net::Address& address, const broker::ListenerPolicy& policy,
                          const auth::ListenerAccess& access) {
  std::vector<std::string> who;
  if (access.settings.user_from != auth::UserFrom::kNone)
    who.emplace_back("clients with a certificate or key");
  if (access.passwords) {
    who.push_back(fmt::format("{} of {}", broker::counted(access.passwords->size(), "user"),
                              access.settings.password_file));
  }
  if (policy.allow_anonymous) who.emplace_back(anonymous_at(address));
  if (who.empty()) return "nobody may enter";
  return fmt::format("{} may enter{}", fmt::join(who, ", "),
                     access.settings.requires_certificate ? ", each with a certificate only" : "");
}

bool lets_nobody_in(const broker::ListenerPolicy& policy, const auth::ListenerAccess& access) {
  return !policy.allow_anonymous && !access.passwords && access.settings.user_from == auth::UserFrom::kNone;
}

}  // namespace nightjar::cli
