// What a mosquitto.db holds as rows of Nightjar's store. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "broker/durable/changes.h"
#include "config/mosquitto/persistence.h"

namespace nightjar::cli {

struct ImportTarget {
  std::uint16_t shards = 0;
  std::map<std::uint16_t, std::string> listeners;  // names by port
  std::string boot;                                // of this machine
  MonoTime now{};
  std::int64_t wall_ms = 0;
};

struct ImportedState {
  std::uint64_t retained = 0;
  std::uint64_t sessions = 0;
  std::uint64_t subscriptions = 0;
  std::uint64_t waiting = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t released = 0;  // only the packet id was still in use
  // What stays behind.
  std::uint64_t expired_messages = 0;
  std::uint64_t expired_sessions = 0;
  std::uint64_t unusable = 0;  // messages, filters and client ids that break the standard
};

// Adds the rows to `changes`.
ImportedState import_state(const config::mosquitto::Persistence& from, const ImportTarget& target,
                           broker::Changes& changes);

// A data directory with these rows in its store, as a whole or not at all. It must not be there, or be empty.
Result<void> write_data_dir(const std::filesystem::path& directory, const broker::Changes& changes);

}  // namespace nightjar::cli
