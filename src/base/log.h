// The log facade: packages say what happened; the sink that main installs decides the form (text, JSON).
// set_sink is called once before any other thread starts; write may be called from any thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace nightjar::log {

enum class Level : std::uint8_t { kDebug, kInfo, kWarn, kError };

// One named value of an event. The value is text already; the name is snake_case.
struct Field {
  std::string_view name;
  std::string value;
};

using Sink = void (*)(Level, std::string_view message, std::span<const Field> fields);

void set_sink(Sink sink);
void set_level(Level level);
[[nodiscard]] bool enabled(Level level);
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

inline void debug(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::kDebug, m, f); }
inline void info(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::kInfo, m, f); }
inline void warn(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::kWarn, m, f); }
inline void error(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::kError, m, f); }

}  // namespace nightjar::log
