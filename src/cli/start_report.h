// What the log says when the broker starts: what listens where, who may enter, what a restart loses, and what
// to try.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "auth/access.h"
#include "broker/durable/restore.h"
#include "broker/policy.h"
#include "cli/listeners.h"
#include "config/config.h"

namespace nightjar::cli {

struct StartFacts {
  std::string version;
  std::uint16_t workers = 1;
  std::uint64_t open_files_max = 0;
  std::filesystem::path data_dir;
  bool loses_on_restart = false;
  bool is_mosquitto = false;  // the file is in Mosquitto's language
  config::Durability durability = config::Durability::kMemory;
  broker::Restored restored{};
  std::vector<ListeningAt> listening;
  const auth::Access& access;
};

void report_start(const StartFacts& facts);

}  // namespace nightjar::cli
