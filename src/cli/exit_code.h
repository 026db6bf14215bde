// How `nightjar pub` and `nightjar sub` end: the exit codes that scripts test, and the sentence for people.
// Plain values.
#pragma once

#include <string>

#include "base/result.h"

namespace nightjar::cli {

enum class ExitCode : int {
  kOk = 0,
  kUsage = 1,          // wrong options, or a file that cannot be read
  kCannotConnect = 2,  // no TCP connection
  kRefused = 3,        // the broker refused the connection, a subscription or a message
  kTimedOut = 4,
  kConnectionLost = 5,  // after it was established
};

// Why a command cannot go on.
struct Failure {
  ExitCode code = ExitCode::kUsage;
  std::string message;
  bool may_retry = false;  // the same connection may succeed later
};

template <typename T>
using Outcome = Result<T, Failure>;

inline tl::unexpected<Failure> stop(ExitCode code, std::string message, bool may_retry = false) {
  return tl::make_unexpected(Failure{code, std::move(message), may_retry});
}

}  // namespace nightjar::cli
