// Which keys of nightjar.toml a key of mosquitto.conf sets, so that `config show --origin` names its line.
// Pure.
#pragma once

#include <span>
#include <string_view>

namespace nightjar::config::mosquitto {

struct Origin {
  std::string_view name;    // in mosquitto.conf
  std::string_view native;  // "limits.max_inflight"; of a listener without its label: "tls.certificate"
  bool is_of_listener = false;
};

// Those of one key; none for keys that do nothing here.
std::span<const Origin> origins_of(std::string_view name);

}  // namespace nightjar::config::mosquitto
