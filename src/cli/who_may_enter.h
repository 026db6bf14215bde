// Who may enter by a listener, in words: for the start and for `nightjar check`. Pure.
#pragma once

#include <string>

#include "auth/access.h"
#include "broker/policy.h"
#include "net/address.h"

namespace nightjar::cli {

// "3 users of /etc/nightjar/passwords, ANONYMOUS clients from anywhere may enter"
std::string who_may_enter(const net::Address& address, const broker::ListenerPolicy& policy,
                          const auth::ListenerAccess& access);

bool lets_nobody_in(const broker::ListenerPolicy& policy, const auth::ListenerAccess& access);

}  // namespace nightjar::cli
