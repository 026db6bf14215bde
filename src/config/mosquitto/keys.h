// Every key of mosquitto.conf: its name, where it may stand, the values it takes and what it does to the
// draft. One table drives reading, checking and suggestions. Pure; any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/mosquitto/draft.h"

namespace nightjar::config::mosquitto {

// What a key belongs to.
enum class Scope : std::uint8_t {
  kGlobal,         // the broker, wherever it stands
  kListener,       // the listener above it, or the default one
  kNamedListener,  // the same, but a `listener` must have come
  kSecurity,       // the listener with per_listener_settings, else the broker
  kBridge,         // the `connection` above it
  kPlugin          // the plugin above it
};

enum class ValueKind : std::uint8_t { kFlag, kNumber, kText };

struct Value {
  bool flag = false;
  std::int64_t number = 0;
  std::string_view text{};
};

// What a line acts on.
struct Target {
  Draft& draft;
  ListenerDraft& listener;
  Security& security;
  Bridge* bridge = nullptr;  // null outside of a connection
  Plugin* plugin = nullptr;  // the same for plugins
  Place place;
  std::vector<std::string>& warnings;

  void warn(std::string_view text) { warnings.push_back(place.text() + ": " + std::string{text}); }
};

// What is wrong with the value; empty: nothing.
using Effect = std::string (*)(Target& target, const Value& value);

struct Key {
  std::string_view name;
  Scope scope = Scope::kGlobal;
  ValueKind kind = ValueKind::kText;
  Effect effect = nullptr;
  // Why it does nothing here, for the one warning line; empty if it does something.
  std::string_view note{};
  bool may_repeat = true;
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};

// In alphabetical order. `listener`, `connection`, `include_dir` and the plugins' keys shape the file itself
// and are the reader's (load.cc).
std::span<const Key> keys();
const Key* find_key(std::string_view name);

}  // namespace nightjar::config::mosquitto
