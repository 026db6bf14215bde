// The user that a certificate or a pre-shared key stands for. Pure.
#pragma once

#include <string>

#include "auth/access.h"
#include "broker/ports.h"

namespace nightjar::auth {

struct CertifiedUser {
  bool has_proof = false;  // there is a certificate or a key that counts here
  std::string name{};      // empty although there is one: it does not have what the listener asks for
};

CertifiedUser certified_user(UserFrom from, const broker::PeerProof* proof);

}  // namespace nightjar::auth
