// toml++, and what becomes of texts that it does not see through: its assertions fail for some that are no
// TOML, and a file that somebody has just spoiled must not end a broker that runs. They throw TomlMisread
// instead. Every file that reads TOML includes this, none toml++ itself. Any thread.
#pragma once

#include <exception>

namespace nightjar {

struct TomlMisread final : std::exception {
  [[nodiscard]] const char* what() const noexcept override {
    return "this is no TOML; look for a bracket, a comma or a quote that is too much or missing";
  }
};
[[noreturn]] inline void toml_misread() { throw TomlMisread{}; }

}  // namespace nightjar

#ifdef TOML_ASSERT
#error toml++ is included without base/toml.h
#endif
#define TOML_ASSERT(expr) ((expr) ? static_cast<void>(0) : ::nightjar::toml_misread())
#include <toml++/toml.h>
