// Who is let in, by what certificates and files say: the user of a certificate or pre-shared key if the
// listener takes it, else user name and password, else anonymously where that is allowed. Any worker.
#pragma once

#include <memory>
#include <string_view>

#include "auth/access.h"
#include "auth/login_desk.h"
#include "broker/ports.h"

namespace nightjar::auth {

class FileAuth final : public broker::Authenticator {
 public:
  // Both outlive it.
  FileAuth(const AccessInForce& access, LoginDesk& desk) : access_(access), desk_(desk) {}

  // Enhanced authentication: no method is known yet, so each gets nullptr.
  std::unique_ptr<broker::AuthExchange> open(std::string_view method) override;

 private:
  const AccessInForce& access_;
  LoginDesk& desk_;
};

}  // namespace nightjar::auth
