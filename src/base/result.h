// Errors as values. `Result<T>` holds a T or an Error whose message a user can act on.
// Free of threads and I/O; usable everywhere.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace nightjar {

// What went wrong, in one sentence that names the thing and the fix.
struct Error {
  std::string message;
};

template <typename T, typename E = Error>
using Result = tl::expected<T, E>;

inline tl::unexpected<Error> fail(std::string message) {
  return tl::make_unexpected(Error{std::move(message)});
}

}  // namespace nightjar

// NJ_TRY(target, expression): assigns the value of a Result, or returns its error from this function.
// `target` may be a declaration (`auto x`) or an existing variable.
#define NJ_TRY_JOIN_(a, b) a##b
#define NJ_TRY_NAME_(a, b) NJ_TRY_JOIN_(a, b)
#define NJ_TRY(target, ...)                                                            \
  auto NJ_TRY_NAME_(nj_result_, __LINE__) = (__VA_ARGS__);                             \
  if (!NJ_TRY_NAME_(nj_result_, __LINE__))                                             \
    return tl::make_unexpected(std::move(NJ_TRY_NAME_(nj_result_, __LINE__).error())); \
  target = std::move(*NJ_TRY_NAME_(nj_result_, __LINE__))
// NJ_CHECK(expression): the same for a Result<void>.
#define NJ_CHECK(...)                                                                               \
  if (auto NJ_TRY_NAME_(nj_result_, __LINE__) = (__VA_ARGS__); !NJ_TRY_NAME_(nj_result_, __LINE__)) \
  return tl::make_unexpected(std::move(NJ_TRY_NAME_(nj_result_, __LINE__).error()))
