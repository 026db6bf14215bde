#include "auth/password_hash.h"

#include <argon2.h>
#include <crypt.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <vector>

#include "auth/base64.h"

namespace nightjar::auth {
namespace {

constexpr std::size_t kSha512Bytes = 64;
// OWASP's advice of 2023 for argon2id; one takes some 25 ms.
constexpr std::uint32_t kArgonMemoryKiB = 19 * 1024;
constexpr std::uint32_t kArgonPasses = 2;
constexpr std::uint32_t kArgonLanes = 1;
constexpr std::size_t kArgonHashBytes = 32;
constexpr std::size_t kSaltBytes = 16;
// Mosquitto 2.0 reads salts of this size only.
constexpr std::size_t kMosquittoSaltBytes = 12;
// The same for PBKDF2-HMAC-SHA512.
constexpr std::uint32_t kPbkdf2Rounds = 210'000;
// Above these, one login costs seconds or gigabytes: a mistake, or a file from somebody else.
constexpr std::uint32_t kPbkdf2RoundsMax = 20'000'000;
constexpr std::uint32_t kArgonMemoryKiBMax = 1024 * 1024;
constexpr std::uint32_t kArgonPassesMax = 100;
constexpr std::uint32_t kArgonLanesMax = 64;
constexpr unsigned long kBcryptCost = 12;
constexpr std::size_t kBcryptBytes = 60;
constexpr unsigned kBcryptCostMax = 17;

std::vector<std::string_view> fields_of(std::string_view text) {
  std::vector<std::string_view> fields;
  for (std::size_t from = 0;;) {
    const std::size_t at = text.find('$', from);
    fields.push_back(text.substr(from, at == std::string_view::npos ? at : at - from));
    if (at == std::string_view::npos) return fields;
    from = at + 1;
  }
}

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_base64_without_padding(std::string_view text, std::size_t bytes_min) {
  const auto is_digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return text.size() % 4 != 1 && text.size() * 3 / 4 >= bytes_min &&
         std::all_of(text.begin(), text.end(), is_digit);
}

const unsigned char* raw(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

bool is_same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// ---- reading ----

// "m=19456,t=2,p=1"
std::optional<std::array<std::uint32_t, 3>> argon_costs(std::string_view text) {
  constexpr std::array<std::string_view, 3> kNames{"m=", "t=", "p="};
  std::array<std::uint32_t, 3> costs{};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const std::size_t comma = i + 1 < kNames.size() ? text.find(',') : text.size();
    if (comma == std::string_view::npos || !text.starts_with(kNames[i])) return std::nullopt;
    const auto value = number_of(text.substr(2, comma - 2));
    if (!value) return std::nullopt;
    costs[i] = *value;
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return costs;
}

Result<void> check_argon2id(const std::vector<std::string_view>& fields) {
  // "", "argon2id", "v=19", costs, salt, hash
  if (fields.size() != 6 || fields[2] != "v=19") {
    return fail("an argon2id hash reads $argon2id$v=19$m=MEMORY,t=PASSES,p=LANES$SALT$HASH");
  }
  const auto costs = argon_costs(fields[3]);
  if (!costs) return fail("the costs of an argon2id hash read m=MEMORY,t=PASSES,p=LANES");
  const auto [memory, passes, lanes] = *costs;
  if (lanes == 0 || lanes > kArgonLanesMax || passes == 0 || passes > kArgonPassesMax || memory < 8 * lanes ||
      memory > kArgonMemoryKiBMax) {
    return fail(fmt::format("its costs are out of bounds: 8 to {} KiB a lane, 1 to {} passes, 1 to {} lanes",
                            kArgonMemoryKiBMax, kArgonPassesMax, kArgonLanesMax));
  }
  if (!is_base64_without_padding(fields[4], ARGON2_MIN_SALT_LENGTH)) return fail("its salt is damaged");
  if (!is_base64_without_padding(fields[5], 12)) return fail("the hash itself is damaged");
  return {};
}

Result<void> check_bcrypt(std::string_view text) {
  // "$2b$12$" and 53 letters and digits
  const auto is_digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '.' && c <= '9');
  };
  const auto cost = text.size() == kBcryptBytes ? number_of(text.substr(4, 2)) : std::nullopt;
  if (!cost || text[3] != '$' || text[6] != '$' || !std::all_of(text.begin() + 7, text.end(), is_digit)) {
    return fail("a bcrypt hash reads $2b$COST$ and 53 letters and digits; this one is damaged");
  }
  if (*cost < 4 || *cost > kBcryptCostMax) {
    return fail(fmt::format("its cost is {} but must be from 4 to {}", *cost, kBcryptCostMax));
  }
  return {};
}

// ---- computing ----

bool sha512_of(ByteView password, std::string_view salt, std::string& out) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  out.resize(kSha512Bytes);
  return context && EVP_DigestInit_ex(context.get(), EVP_sha512(), nullptr) == 1 &&
         EVP_DigestUpdate(context.get(), password.data(), password.size()) == 1 &&
         EVP_DigestUpdate(context.get(), salt.data(), salt.size()) == 1 &&
         EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr) == 1;
}

bool pbkdf2_of(ByteView password, std::string_view salt, std::uint32_t rounds, std::string& out) {
  out.resize(kSha512Bytes);
  // OpenSSL counts the password itself if there is none.
  const char* text = password.empty() ? "" : as_text(password).data();
  return PKCS5_PBKDF2_HMAC(text, static_cast<int>(password.size()), raw(salt), static_cast<int>(salt.size()),
                           static_cast<int>(rounds), EVP_sha512(), kSha512Bytes,
                           reinterpret_cast<unsigned char*>(out.data())) == 1;
}

std::string crypt_of(std::string_view password, const std::string& setting) {
  if (password.find('\0') != std::string_view::npos) return {};  // crypt would see the front only
  std::string text(password);
  const auto space = std::make_unique<crypt_data>();
  const char* made = ::crypt_r(text.c_str(), setting.c_str(), space.get());
  std::string result = made == nullptr ? "" : made;
  OPENSSL_cleanse(text.data(), text.size());
  OPENSSL_cleanse(space.get(), sizeof *space);
  return result;
}

Result<std::string> fresh_salt(std::size_t bytes) {
  std::string salt(bytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(salt.data()), static_cast<int>(bytes)) != 1) {
    return fail("the system gives no random numbers for a salt");
  }
  return salt;
}

Result<std::string> make_argon2id(std::string_view password) {
  NJ_TRY(const std::string salt, fresh_salt(kSaltBytes));
  std::string text(
      ::argon2_encodedlen(kArgonPasses, kArgonMemoryKiB, kArgonLanes, kSaltBytes, kArgonHashBytes, Argon2_id),
      '\0');
  const int status =
      ::argon2id_hash_encoded(kArgonPasses, kArgonMemoryKiB, kArgonLanes, password.data(), password.size(),
                              salt.data(), salt.size(), kArgonHashBytes, text.data(), text.size());
  if (status != ARGON2_OK) return fail(fmt::format("cannot hash: {}", ::argon2_error_message(status)));
  text.resize(text.find('\0'));
  return text;
}

Result<std::string> make_bcrypt(std::string_view password) {
  NJ_TRY(const std::string salt, fresh_salt(kSaltBytes));
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  if (::crypt_gensalt_rn("$2b$", kBcryptCost, salt.data(), static_cast<int>(salt.size()), setting.data(),
                         static_cast<int>(setting.size())) == nullptr) {
    return fail("this system's crypt does not know bcrypt");
  }
  std::string made = crypt_of(password, setting.data());
  if (!made.starts_with("$2b$")) return fail("bcrypt does not take this password");
  return made;
}

}  // namespace

Result<PasswordHash> PasswordHash::parse(std::string_view text) {
  const std::vector<std::string_view> fields = fields_of(text);
  if (text.starts_with("$argon2id$")) {
    NJ_CHECK(check_argon2id(fields));
    return PasswordHash(HashKind::kArgon2id, text);
  }
  if (text.starts_with("$2a$") || text.starts_with("$2b$") || text.starts_with("$2y$")) {
    NJ_CHECK(check_bcrypt(text));
    return PasswordHash(HashKind::kBcrypt, text);
  }
  const bool has_rounds = text.starts_with("$7$");
  if (!has_rounds && !text.starts_with("$6$")) {
    return fail("no hash that Nightjar knows; it knows $argon2id$, $7$, $6$ and $2b$");
  }
  if (fields.size() != (has_rounds ? 5 : 4)) {
    return fail(has_rounds ? "a $7$ hash reads $7$ROUNDS$SALT$HASH" : "a $6$ hash reads $6$SALT$HASH");
  }
  PasswordHash hash(has_rounds ? HashKind::kPbkdf2Sha512 : HashKind::kSha512, text);
  if (has_rounds) {
    const auto rounds = number_of(fields[2]);
    if (!rounds || *rounds == 0 || *rounds > kPbkdf2RoundsMax) {
      return fail(fmt::format("the rounds of a $7$ hash are a number from 1 to {}", kPbkdf2RoundsMax));
    }
    hash.rounds_ = *rounds;
  }
  const auto salt = from_base64(fields[fields.size() - 2]);
  if (!salt) return fail("its salt is no base64");
  const auto digest = from_base64(fields.back());
  if (!digest || digest->size() != kSha512Bytes) return fail("the hash itself is not 64 bytes in base64");
  hash.salt_ = *salt;
  hash.digest_ = *digest;
  return hash;
}

bool PasswordHash::verify(ByteView password) const {
  std::string computed;
  switch (kind_) {
    case HashKind::kArgon2id:
      return ::argon2id_verify(text_.c_str(), password.data(), password.size()) == ARGON2_OK;
    case HashKind::kBcrypt:
      return is_same(crypt_of(as_text(password), text_), text_);
    case HashKind::kPbkdf2Sha512:
      return pbkdf2_of(password, salt_, rounds_, computed) && is_same(computed, digest_);
    case HashKind::kSha512:
      return sha512_of(password, salt_, computed) && is_same(computed, digest_);
  }
  return false;
}

Result<std::string> hash_password(HashKind kind, std::string_view password, std::uint32_t rounds) {
  if (kind == HashKind::kArgon2id) return make_argon2id(password);
  if (kind == HashKind::kBcrypt) return make_bcrypt(password);
  if (rounds == 0) rounds = kPbkdf2Rounds;
  if (rounds > kPbkdf2RoundsMax) return fail(fmt::format("at most {} rounds", kPbkdf2RoundsMax));
  NJ_TRY(const std::string salt, fresh_salt(kMosquittoSaltBytes));
  std::string digest;
  const bool is_made = kind == HashKind::kSha512 ? sha512_of(as_bytes(password), salt, digest)
                                                 : pbkdf2_of(as_bytes(password), salt, rounds, digest);
  if (!is_made) return fail("OpenSSL does not hash");
  if (kind == HashKind::kSha512) return fmt::format("$6${}${}", to_base64(salt), to_base64(digest));
  return fmt::format("$7${}${}${}", rounds, to_base64(salt), to_base64(digest));
}

}  // namespace nightjar::auth
