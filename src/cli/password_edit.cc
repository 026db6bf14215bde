#include "cli/password_edit.h"

#include <fmt/format.h>

#include "auth/lines.h"
#include "auth/password_file.h"

namespace nightjar::cli {
namespace {

// What takes the place of a line: itself, another one, or nothing.
using Change = std::function<Result<std::string>(const auth::PasswordLine& line, std::string_view whole)>;

Result<std::string> change_lines(std::string_view text, std::string_view name, const Change& change) {
  std::string out;
  auth::Lines lines(text);
  for (std::string_view line; lines.next(line);) {
    const auto wrong = [&](const Error& error) {
      return fail(fmt::format("{}:{}: {}", name, lines.number(), error.message));
    };
    const auto read = auth::read_password_line(line);
    if (!read) return wrong(read.error());
    if (!*read) {
      out.append(line).append("\n");
      continue;
    }
    const auto changed = change(**read, line);
    if (!changed) return wrong(changed.error());
    out += *changed;
  }
  return out;
}

std::string line_of(std::string_view user, std::string_view hash) {
  return fmt::format("{}:{}\n", user, hash);
}

}  // namespace

Result<std::string> with_user(std::string_view text, std::string_view name, std::string_view user,
                              std::string_view hash) {
  bool is_there = false;
  NJ_TRY(std::string out,
         change_lines(text, name,
                      [&](const auth::PasswordLine& line, std::string_view whole) -> Result<std::string> {
                        if (line.user != user) return std::string(whole) + "\n";
                        if (is_there) return std::string();  // once is enough
                        is_there = true;
                        return line_of(user, hash);
                      }));
  if (!is_there) out += line_of(user, hash);
  return out;
}

Result<std::string> without_user(std::string_view text, std::string_view name, std::string_view user) {
  bool is_there = false;
  NJ_TRY(std::string out,
         change_lines(text, name,
                      [&](const auth::PasswordLine& line, std::string_view whole) -> Result<std::string> {
                        if (line.user != user) return std::string(whole) + "\n";
                        is_there = true;
                        return std::string();
                      }));
  if (!is_there) return fail(fmt::format("there is no user \"{}\" in {}", user, name));
  return out;
}

Result<std::string> with_hashes(std::string_view text, std::string_view name,
                                const std::function<Result<std::string>(std::string_view password)>& hash) {
  return change_lines(text, name,
                      [&](const auth::PasswordLine& line, std::string_view whole) -> Result<std::string> {
                        if (auth::PasswordHash::parse(line.rest)) return std::string(whole) + "\n";
                        NJ_TRY(const std::string hashed, hash(line.rest));
                        return line_of(line.user, hashed);
                      });
}

}  // namespace nightjar::cli
