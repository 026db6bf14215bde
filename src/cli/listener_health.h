// Whether anybody accepts connections at an address of this machine. Blocks for a short time; no worker.
#pragma once

#include "base/result.h"
#include "net/address.h"

namespace nightjar::cli {

Result<void> check_accepts(const net::Address& address);

}  // namespace nightjar::cli
