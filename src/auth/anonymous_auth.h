// Who gets in while no mechanism knows passwords: everybody on a listener that allows anonymous clients,
// nobody elsewhere. A user name is not proof of anything here, so no rule may rest on it. Any thread.
#pragma once

#include <memory>
#include <string_view>

#include "broker/ports.h"

namespace nightjar::auth {

class AnonymousAuth final : public broker::Authenticator {
 public:
  // Enhanced authentication: no method is known yet, so each gets nullptr.
  std::unique_ptr<broker::AuthExchange> open(std::string_view method) override;
};

}  // namespace nightjar::auth
