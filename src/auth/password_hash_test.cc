#include "auth/password_hash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace nightjar::auth {
namespace {

using testing::HasSubstr;

bool verifies(std::string_view hash, std::string_view password) {
  const auto parsed = PasswordHash::parse(hash);
  EXPECT_TRUE(parsed.has_value()) << hash;
  return parsed && parsed->verify(as_bytes(password));
}

std::string problem(std::string_view hash) {
  const auto parsed = PasswordHash::parse(hash);
  return parsed ? "no problem" : parsed.error().message;
}

// ---- made by other tools ----

// mosquitto_passwd 2.0.11
constexpr std::string_view kPbkdf2 =
    "$7$101$auWEQKP5lDj59Y9e$"
    "VoxLyz1stHVU1V07wUWsYP8wfNp8u9cqSZBA0ouidJz63oTJUzEABVqaEF5rPxyqlncblibR4kSDt0o8Y"
    "KL7Dw==";
constexpr std::string_view kPbkdf2OfNothing =
    "$7$101$XiKyX31T4iTMcfZf$1ODD4j8+KDgeck+swb3YdvE/8JLHxmarF8HQNZvjVM/COQdxtnyYustL/"
    "ylcN4IOWWRQ0P1qklH9dO0v3"
    "Ju9Bw==";
constexpr std::string_view kPbkdf2OfUmlauts =
    "$7$101$tEsywSCFVECKoxOS$djmbrTAdsDCPBk6xnySOOZAykw5pDxItcRhiYVvd+UIaQ8DtUF4DiNxPeQ/"
    "3Yt8vcmcxRPVYsvzuq0Qhf"
    "Ftj2A==";
// mosquitto_passwd 2.0.11 -H sha512
constexpr std::string_view kSha512 =
    "$6$d1rsd4ZU7yqHUkT3$NkBM/uyHtn9ziXAA1t/izIDW7/"
    "NRPCyRulbXJNlR87RVEVySHcj2O+2JgMlW8+r51QGvkuXR3gVFG4kuRr2oY"
    "g==";
// argon2 of Debian's package: argon2 saltsalt -id -t 2 -m 10 -p 1 -e
constexpr std::string_view kArgon2id =
    "$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHQ$5n+dqKA654HpeA9ZUkM9fgOil+sHaLHsKpxAaxMk/T4";
// htpasswd of apache2-utils: htpasswd -nbB -C 4
constexpr std::string_view kBcrypt = "$2y$04$wZOZkH7kU1EqSK6qwmJaU.QVduIeoNdzt3wLeoUeSGObHgiwN0Etu";

TEST(PasswordHash, VerifiesWhatOtherToolsMade) {
  EXPECT_TRUE(verifies(kPbkdf2, "secret"));
  EXPECT_TRUE(verifies(kSha512, "secret"));
  EXPECT_TRUE(verifies(kArgon2id, "secret"));
  EXPECT_TRUE(verifies(kBcrypt, "hunter2"));
  EXPECT_TRUE(verifies(kPbkdf2OfNothing, ""));
  EXPECT_TRUE(verifies(kPbkdf2OfUmlauts, "p\xC3\xA4ssw\xC3\xB6rd\xE2\x82\xAC"));
}

TEST(PasswordHash, RefusesEveryOtherPassword) {
  for (const std::string_view hash : {kPbkdf2, kSha512, kArgon2id, kBcrypt}) {
    for (const std::string_view wrong :
         {std::string_view(""), std::string_view("secre"), std::string_view("secrets"),
          std::string_view("Secret"), std::string_view("hunter2\0x", 9)}) {
      EXPECT_FALSE(verifies(hash, wrong)) << hash << " with " << wrong;
    }
  }
}

// ---- made here ----

TEST(PasswordHash, VerifiesItsOwn) {
  for (const HashKind kind :
       {HashKind::kArgon2id, HashKind::kPbkdf2Sha512, HashKind::kSha512, HashKind::kBcrypt}) {
    const auto made = hash_password(kind, "s3cret", kind == HashKind::kPbkdf2Sha512 ? 1000 : 0);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_TRUE(verifies(*made, "s3cret")) << *made;
    EXPECT_FALSE(verifies(*made, "s3cre")) << *made;
    EXPECT_EQ(PasswordHash::parse(*made)->kind(), kind);
    EXPECT_NE(*made, *hash_password(kind, "s3cret", 1000)) << "each has a salt of its own";
  }
}

TEST(PasswordHash, BcryptTakesNoPasswordThatItWouldCut) {
  EXPECT_FALSE(hash_password(HashKind::kBcrypt, std::string_view("a\0b", 3)).has_value());
}

// ---- damaged ----

TEST(PasswordHash, SaysWhatIsWrong) {
  std::string longer(kSha512);
  longer += "$";
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "no hash that Nightjar knows"},
      {"secret", "no hash that Nightjar knows"},
      {"$1$salt$hash", "no hash that Nightjar knows"},
      {"$6$abc", "$6$SALT$HASH"},
      {"$6$ab!=$abcd", "salt is no base64"},
      {"$6$d1rsd4ZU7yqHUkT3$NkBM/uyH", "64 bytes"},
      {longer, "$6$SALT$HASH"},
      {kSha512.substr(0, kSha512.size() - 1), "64 bytes"},
      {"$7$0$auWEQKP5lDj59Y9e$VoxL", "from 1 to"},
      {"$7$-1$auWEQKP5lDj59Y9e$VoxL", "from 1 to"},
      {"$7$99999999999$auWEQKP5lDj59Y9e$VoxL", "from 1 to"},
      {"$7$101x$auWEQKP5lDj59Y9e$VoxL", "from 1 to"},
      {"$7$101$auWEQKP5lDj59Y9e", "$7$ROUNDS$SALT$HASH"},
      {"$argon2id$v=19$m=1024,t=2$c2FsdHNhbHQ$5n", "m=MEMORY"},
      {"$argon2id$v=16$m=1024,t=2,p=1$c2FsdHNhbHQ$5n", "$argon2id$v=19"},
      {"$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHQ$5n+dqKA654HpeA9ZUkM9", "out of bounds"},
      {"$argon2id$v=19$m=1024,t=0,p=1$c2FsdHNhbHQ$5n+dqKA654HpeA9ZUkM9", "out of bounds"},
      {"$argon2id$v=19$m=1024,t=2,p=1$c2Fs$5n+dqKA654HpeA9ZUkM9", "salt"},
      {"$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHQ$5n", "hash itself"},
      {"$2b$12$short", "bcrypt"},
      {"$2b$31$wZOZkH7kU1EqSK6qwmJaU.QVduIeoNdzt3wLeoUeSGObHgiwN0Etu", "cost is 31"},
  };
  for (const auto& [text, expected] : cases)
    EXPECT_THAT(problem(text), HasSubstr(std::string(expected))) << text;
}

}  // namespace
}  // namespace nightjar::auth
