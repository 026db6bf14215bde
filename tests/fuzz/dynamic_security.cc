// Files of Mosquitto's dynamic-security plugin. No text breaks the reader, and what is made of one are files
// that Nightjar reads.
#include <string_view>

#include "auth/access_rules.h"
#include "auth/native_access.h"
#include "auth/password_file.h"
#include "fuzz_input.h"

using namespace nightjar;
using nightjar::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const auto read = auth::read_dynamic_security(input, "f");
  if (!read) {
    require(read.error().message.starts_with("f:"), "an error names the file");
    return 0;
  }
  const auth::NativeAccess native = auth::native_access(*read);
  require(auth::PasswordTable::parse(native.passwords, "p").has_value(), "the users are a password file");
  const auto rules = auth::AccessRules::parse_toml(native.rules, "r");
  require(rules.has_value(), "the rules are an acl_file");
  const broker::ClientIdentity nobody{.client_id = "pump", .user_name = "nobody at all", .listener = "tls"};
  require(!rules->decide(auth::kPublish, nobody, "a").is_allowed,
          "whom the file does not know may do nothing");
  return 0;
}
