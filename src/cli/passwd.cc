#include "cli/passwd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "auth/password_file.h"
#include "cli/command_line.h"
#include "cli/password_edit.h"
#include "net/fd.h"

namespace nightjar::cli {
namespace {

std::string reason() { return std::strerror(errno); }

// ---- asking ----

// The terminal shows nothing of what is typed.
class NoEcho {
 public:
  NoEcho() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_on_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  ~NoEcho() {
    if (is_on_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
  bool is_on_ = false;
};

Result<std::string> ask(std::string_view prompt) {
  std::string line;
  {
    // First, as it drops what was typed so far: whoever has seen the prompt may type.
    const NoEcho quiet;
    fmt::print(stderr, "{}", prompt);
    if (!std::getline(std::cin, line)) return fail("no password was given");
  }
  fmt::print(stderr, "\n");
  return line;
}

Result<std::string> password_for(const PasswdOptions& options) {
  if (options.is_batch) return options.password;
  if (::isatty(STDIN_FILENO) == 0) {
    std::string line;
    if (!std::getline(std::cin, line)) return fail("no password came on the standard input");
    return line;
  }
  NJ_TRY(const std::string first, ask(fmt::format("Password for {}: ", options.user)));
  NJ_TRY(const std::string second, ask("The same again: "));
  if (first != second) return fail("the two are not the same");
  return first;
}

// ---- the file ----

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    const std::string hint = errno == ENOENT ? "; -c makes a new one" : "";
    return fail(fmt::format("cannot read {}: {}{}", path, reason(), hint));
  }
  return std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// Readers see the old file or the new one, also after a power cut. Nobody but the owner may read it; the
// owner stays who it was.
Result<void> replace_file(const std::filesystem::path& path, std::string_view text) {
  // Through a symbolic link the file it points to is meant.
  std::error_code error;
  const std::filesystem::path target =
      std::filesystem::exists(path, error) ? std::filesystem::canonical(path, error) : path;
  std::string made = target.string() + ".XXXXXX";
  const net::Fd fd{::mkostemp(made.data(), O_CLOEXEC)};
  if (!fd) return fail(fmt::format("cannot write beside {}: {}", target.string(), reason()));
  const auto give_up = [&](std::string_view what) {
    auto failure = fail(fmt::format("cannot {} {}: {}", what, target.string(), reason()));
    ::unlink(made.c_str());
    return failure;
  };
  struct stat before {};
  if (::stat(target.c_str(), &before) == 0 && ::fchown(fd.get(), before.st_uid, before.st_gid) != 0)
    return give_up("leave the owner of");
  if (::fchmod(fd.get(), S_IRUSR | S_IWUSR) != 0 || !write_all(fd.get(), text) || ::fsync(fd.get()) != 0)
    return give_up("write");
  if (::rename(made.c_str(), target.c_str()) != 0) return give_up("replace");
  const std::filesystem::path folder = target.has_parent_path() ? target.parent_path() : ".";
  const net::Fd directory{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory) ::fsync(directory.get());
  return {};
}

// ---- what is asked for ----

Result<std::string> changed(const PasswdOptions& options) {
  const auto hash = [&options](std::string_view password) {
    return auth::hash_password(options.hash, password, options.rounds);
  };
  std::string text;
  if (!options.creates) {
    NJ_TRY(text, read_file(options.file));
  }
  if (options.hashes_all) return with_hashes(text, options.file, hash);
  if (options.deletes) return without_user(text, options.file, options.user);
  if (const std::string_view wrong = auth::wrong_user_name(options.user); !wrong.empty())
    return fail(std::string(wrong));
  NJ_TRY(const std::string password, password_for(options));
  NJ_TRY(const std::string hashed, hash(password));
  return with_user(text, options.file, options.user, hashed);
}

Result<void> run(const PasswdOptions& options) {
  NJ_TRY(const std::string text, changed(options));
  return replace_file(options.file, text);
}

}  // namespace

int run_passwd(int argc, char** argv) {
  const auto options = parse_passwd(argc, argv);
  if (!options) return options.error();
  const auto done = run(*options);
  if (done) return 0;
  fmt::print(stderr, "nightjar passwd: {}\n", done.error().message);
  return 1;
}

}  // namespace nightjar::cli
