// Every key of nightjar.toml: its name, the values it takes, what it means, and the field it sets. This one
// table drives reading, checking, suggestions, --explain and the reference in docs/configuration.md. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace nightjar::config {

enum class Kind : std::uint8_t { kBool, kNumber, kSize, kDuration, kText, kChoice, kTexts, kMode };

// Sizes are bytes, durations milliseconds, a choice is its index, a mode its bits.
using Value = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

// The values that a key takes.
struct Shape {
  Kind kind = Kind::kText;
  std::int64_t min = 0;  // numbers, sizes, durations
  std::int64_t max = 0;
  std::int64_t step = 1;   // durations: a field that counts seconds takes whole seconds only
  std::int64_t never = 0;  // durations: not 0 if the file may say "never", and the value that this stands for
  std::span<const std::string_view> choices{};
  std::string_view example{};  // without its quotes; choices and truth values need none
};

// One key bound to the field that it sets. Lives no longer than the field.
struct Slot {
  std::string_view name;
  Shape shape;
  std::string_view meaning;
  std::function<Value()> get;
  std::function<void(const Value&)> set;
};

// A table of the file.
struct Section {
  std::string name;
  std::string_view meaning;
  std::vector<Slot> slots;
  std::vector<Section> nested;
  // Set: the table may stand any number of times, [[NAME]]. Makes a further one, whose section is valid until
  // the next; `slots` show what each of them has.
  std::function<Section()> further;
};

// The tables that stand once, in the order of reading.
std::vector<Section> sections_of(Config& config);
// [[listener]]. It takes the keys of [limits] too, and those of [queue] and [auth] in nested tables.
Section section_of(ListenerConfig& listener);

// A listener before its own keys: the limits and files of `config`, and closed to anonymous clients.
ListenerConfig fresh_listener(const Config& config);

}  // namespace nightjar::config
