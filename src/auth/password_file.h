// A password file, Nightjar's own or Mosquitto's: "user:hash" a line, blank lines and those with # skipped.
// A table never changes once it was read; any thread may use it.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "auth/password_hash.h"
#include "base/result.h"

namespace nightjar::auth {

// A password file is read into memory as a whole.
inline constexpr std::size_t kAccessFileBytesMax = 256 * 1024 * 1024;

class PasswordTable {
 public:
  // What a second line of a user is: a mistake, or the one that counts, as with Mosquitto.
  enum class Repeated : bool { kIsWrong, kLastCounts };
  // `name` is how errors call the file.
  static Result<PasswordTable> parse(std::string_view text, std::string_view name,
                                     Repeated repeated = Repeated::kIsWrong);

  // nullptr: no such user.
  [[nodiscard]] const PasswordHash* find(std::string_view user) const;
  [[nodiscard]] std::size_t size() const { return users_.size(); }
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [user, hash] : users_) visit(std::string_view(user), hash);
  }
  // Whom a login of an unknown user is measured against: it takes as long as that one's. nullptr if there is
  // no user at all.
  [[nodiscard]] const PasswordHash* reference() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  boost::unordered_flat_map<std::string, PasswordHash, Hash, std::equal_to<>> users_;
};

// One line cut into its parts: "user:rest". Nothing if the line is blank or a comment.
struct PasswordLine {
  std::string_view user{};
  std::string_view rest{};
};
// The error lacks the place.
Result<std::optional<PasswordLine>> read_password_line(std::string_view line);

// Why no user may be called so; empty if he may.
std::string_view wrong_user_name(std::string_view user);

}  // namespace nightjar::auth
