// What the dynamic-security plugin of Mosquitto decides, as Nightjar's own files: users with their passwords,
// and rules of which the first that fits decides. Pure.
#pragma once

#include <string>
#include <vector>

#include "auth/dynamic_security.h"

namespace nightjar::auth {

struct NativeAccess {
  std::string passwords;               // a password file
  std::string rules;                   // an acl_file in TOML
  std::vector<std::string> differing;  // what they cannot say, one line each
};

NativeAccess native_access(const DynamicSecurity& from);

}  // namespace nightjar::auth
