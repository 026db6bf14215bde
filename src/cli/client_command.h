// How `nightjar pub` and `nightjar sub` begin and end: help or settings, then the run, then the exit status
// with its reason on the standard error. Used by the main thread.
#pragma once

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <string_view>
#include <utility>

#include "cli/exit_code.h"

namespace nightjar::cli {

// `name` is "nightjar pub".
inline void notice(std::string_view name, std::string_view text) {
  fmt::print(stderr, "{}: {}\n", name, text);
}

// `run` takes the settings and says how it went, as Outcome<bool>.
template <typename Settings, typename Run>
int run_command(std::string_view name, Outcome<Settings> settings, Run run) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed output is a failed write, not the end without a DISCONNECT
  const bool is_help = !settings && settings.error().code == ExitCode::kOk;
  if (is_help) {
    fmt::print("{}", settings.error().message);
    return 0;
  }
  const Outcome<bool> done =
      settings ? run(std::move(*settings)) : Outcome<bool>{tl::make_unexpected(settings.error())};
  if (done) return static_cast<int>(ExitCode::kOk);
  notice(name, done.error().message);
  return static_cast<int>(done.error().code);
}

}  // namespace nightjar::cli
