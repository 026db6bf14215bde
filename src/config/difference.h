// What changes from one configuration to another, key by key, and when each change is felt. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace nightjar::config {

enum class Effect : std::uint8_t {
  kAtOnce,
  kNewConnections,  // for clients that connect from now on
  kNewListener,     // an address is listened on from now on
  kClosedListener,  // and another no more; its clients are disconnected
  kRestart          // the broker that runs cannot do it
};

struct Change {
  std::string key;   // "limits.max_packet_size", "listener.plain.port"
  std::string from;  // as the file says it; empty if the key was not there
  std::string to;
  Effect effect = Effect::kRestart;
  friend bool operator==(const Change&, const Change&) = default;
};

// In the order of the reference; listeners are the same if their addresses are.
std::vector<Change> differences(Config before, Config after);

// `after` as far as a broker that runs with `before` can follow: what needs a restart stays as it was.
Config without_restart(Config before, Config after);

// Some queue refuses what it has no room for, so that publishers wait for an answer. That is decided at the
// start.
bool refuses_when_full(const Config& config);

// The same address, port and path.
bool is_same_place(const ListenerConfig& a, const ListenerConfig& b);

// How the log and messages call a listener.
std::string name_of(const ListenerConfig& listener);

// "listener.plain.port"
std::string key_of(const ListenerConfig& listener, std::string_view key);

// One key with its value and where that comes from.
struct Setting {
  std::string key;
  std::string value;   // as the file says it
  std::string origin;  // "nightjar.toml:7:15", "command line" or "default"
};
// Every key there is, those of listeners included.
std::vector<Setting> settings(Config config);

}  // namespace nightjar::config
