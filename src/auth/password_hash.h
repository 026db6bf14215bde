// One stored password: reads what password files hold, checks a password against it, makes a new one. Any
// thread; verify() and hash_password() take as long as the hash wants, so no worker calls them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace nightjar::auth {

enum class HashKind : std::uint8_t {
  kArgon2id,      // "$argon2id$...": the default
  kPbkdf2Sha512,  // "$7$ROUNDS$SALT$HASH": Mosquitto 2.0
  kSha512,        // "$6$SALT$HASH": Mosquitto before 2.0; a guess costs an attacker nothing
  kBcrypt         // "$2b$...": htpasswd
};

class PasswordHash {
 public:
  // The error says what is wrong with `text`, without the text itself.
  static Result<PasswordHash> parse(std::string_view text);

  [[nodiscard]] bool verify(ByteView password) const;
  [[nodiscard]] HashKind kind() const { return kind_; }
  // As the file says it.
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  PasswordHash(HashKind kind, std::string_view text) : kind_(kind), text_(text) {}

  HashKind kind_;
  std::string text_;
  std::uint32_t rounds_ = 0;  // kPbkdf2Sha512
  std::string salt_;          // kPbkdf2Sha512, kSha512: raw bytes
  std::string digest_;        // likewise
};

// A new hash with a salt of its own. `rounds`: of kPbkdf2Sha512; 0 means what is advised today.
Result<std::string> hash_password(HashKind kind, std::string_view password, std::uint32_t rounds = 0);

}  // namespace nightjar::auth
