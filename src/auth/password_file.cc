#include "auth/password_file.h"

#include <fmt/format.h>

#include "auth/lines.h"
#include "mqtt/utf8.h"

namespace nightjar::auth {

std::string_view wrong_user_name(std::string_view user) {
  if (user.empty()) return "the user has no name";
  if (user.size() > 65'535) return "the user's name is longer than MQTT allows";
  if (user.find(':') != std::string_view::npos) return "a user's name cannot hold a colon";
  if (user.front() == '#') return "a line that begins with # is a comment, so no user's name may";
  if (trimmed(user) != user || user.find_first_of("\n\r") != std::string_view::npos)
    return "a user's name cannot begin or end with a blank";
  if (!mqtt::is_valid_utf8(user)) return "the user's name is no UTF-8";
  return {};
}

Result<std::optional<PasswordLine>> read_password_line(std::string_view line) {
  line = trimmed(line);
  if (line.empty() || line.front() == '#') return std::nullopt;
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    return fail("a line reads USER:HASH; \"nightjar passwd FILE USER\" writes one");
  }
  const PasswordLine parts{trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1))};
  if (const std::string_view wrong = wrong_user_name(parts.user); !wrong.empty())
    return fail(std::string(wrong));
  return parts;
}

Result<PasswordTable> PasswordTable::parse(std::string_view text, std::string_view name, Repeated repeated) {
  PasswordTable table;
  boost::unordered_flat_map<std::string_view, std::uint32_t> line_of;
  Lines lines(text);
  for (std::string_view line; lines.next(line);) {
    const auto wrong = [&](std::string_view why) {
      return fail(fmt::format("{}:{}: {}", name, lines.number(), why));
    };
    const auto read = read_password_line(line);
    if (!read) return wrong(read.error().message);
    if (!*read) continue;
    const auto [user, hashed] = **read;
    if (!hashed.starts_with('$')) {
      return wrong(fmt::format(
          "the password of \"{}\" is not hashed; \"nightjar passwd -U {}\" hashes all that are not", user,
          name));
    }
    // What stands behind another colon is not read, by Mosquitto neither.
    const auto hash = PasswordHash::parse(hashed.substr(0, hashed.find(':')));
    if (!hash) return wrong(fmt::format("the password of \"{}\": {}", user, hash.error().message));
    if (const auto [at, is_new] = line_of.emplace(user, lines.number()); !is_new) {
      if (repeated == Repeated::kLastCounts) {
        table.users_.insert_or_assign(std::string{user}, *hash);
        continue;
      }
      return wrong(fmt::format("\"{}\" is in line {} already; take one of the two out", user, at->second));
    }
    table.users_.emplace(user, *hash);
  }
  return table;
}

const PasswordHash* PasswordTable::find(std::string_view user) const {
  const auto found = users_.find(user);
  return found == users_.end() ? nullptr : &found->second;
}

const PasswordHash* PasswordTable::reference() const {
  return users_.empty() ? nullptr : &users_.begin()->second;
}

}  // namespace nightjar::auth
