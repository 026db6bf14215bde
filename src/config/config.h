// What nightjar.toml and the command line decide, as plain values. Filled in once, before anything starts.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/log.h"
#include "broker/policy.h"

namespace nightjar::config {

enum class LogFormat : std::uint8_t { kText, kJson };

// What an acknowledgement promises.
enum class Durability : std::uint8_t {
  kFsync,  // what it confirms survives a power cut
  kOs,     // it survives the end of the process, however that comes
  kMemory  // it is gone with the process
};

struct LogConfig {
  log::Level level = log::Level::kInfo;
  LogFormat format = LogFormat::kText;
  std::string destination = "stderr";  // or "stdout", or a file
};

struct ListenerConfig {
  std::string label;  // "listener.NAME" as messages call it; empty if no file says it
  std::string address = "*";
  std::uint16_t port = 1883;
  broker::ListenerPolicy policy;
};

struct NodeConfig {
  std::string data_dir = "./data";
  std::uint16_t workers = 0;  // 0: one per core
  Durability durability = Durability::kFsync;
};

struct Config {
  NodeConfig node;
  broker::NodePolicy policy{.placement = broker::Placement::kAdaptive};
  broker::ListenerPolicy limits;  // what a listener starts from
  LogConfig log;
  std::vector<ListenerConfig> listeners;  // none: the loopback listener

  // Where the file says it: "log.destination" -> "nightjar.toml:7:15". A listener stands under its label.
  std::map<std::string, std::string> places;
};

}  // namespace nightjar::config
