// What the lines of a mosquitto.conf have said so far, before it is put together (load.cc): several keys only
// mean something once the whole file is known. Plain values of one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/mosquitto/bridge.h"
#include "config/mosquitto/lines.h"

namespace nightjar::config::mosquitto {

// A plugin that the file wants loaded, and what it is told.
struct Plugin {
  Place place;
  std::string key;   // "plugin", "auth_plugin", ...
  std::string path;  // empty: chosen by `name`
  std::string name;  // of plugin_load and plugin_use
  std::vector<std::pair<std::string, std::string>> options;
};

// Where the file sets a key of a listener in nightjar.toml: "tls.certificate" -> "mosquitto.conf:14".
using Places = std::map<std::string, std::string>;

// The keys that per_listener_settings makes each listener's own.
struct Security {
  std::optional<bool> allow_anonymous;
  std::optional<bool> allow_zero_length_clientid;
  std::string auto_id_prefix;
  std::string password_file;
  std::string acl_file;
  std::string psk_file;
  std::string dynamic_security;
  bool lacks_plugin = false;   // one that might know the users
  std::deque<Plugin> plugins;  // references into it stay good
  Places places;
};

// Topic Aliases that Mosquitto takes from a client, and uses towards one.
inline constexpr std::uint16_t kTopicAliasMaximum = 10;

struct ListenerDraft {
  Place place;
  // Of its policy only what keys of listeners set; the rest is the broker's.
  ListenerConfig config{
      .policy = {.topic_alias_maximum = kTopicAliasMaximum, .topic_alias_maximum_out = kTopicAliasMaximum}};
  Security security;
  std::optional<bool> allow_anonymous;  // listener_allow_anonymous
  std::string auto_id_prefix;           // listener_auto_id_prefix
  Places places;
  bool has_port = false;
  bool is_used = false;  // something was said that Mosquitto starts the default listener for
  // TLS, before it is known whether the listener has it.
  bool requires_certificate = false;
  bool user_is_common_name = false;
  bool user_is_subject = false;
};

struct Draft {
  Config config;
  Security security;
  ListenerDraft default_listener;
  std::deque<ListenerDraft> listeners;  // references into it stay good
  std::deque<Bridge> bridges;
  std::deque<Plugin> loadable;  // plugin_load
  bool is_per_listener = false;
  bool is_persistent = false;
  std::string persistence_file = "mosquitto.db";
  std::string persistence_location;
  std::uint32_t websocket_headers_bytes_max = WebSocketConfig{}.headers_bytes_max;
  bool has_log_destination = false;
  std::vector<std::string> log_destinations;  // none with `has_log_destination`: nothing is logged
  std::optional<log::Level> log_level;        // the lowest that log_type asks for
  bool logs_nothing = false;                  // log_type none
};

}  // namespace nightjar::config::mosquitto
