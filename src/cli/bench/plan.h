// Who connects, subscribes and publishes in a load: plain data that scenarios make and the engine runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "mqtt/types.h"

namespace nightjar::cli::bench {

inline constexpr std::uint32_t kNoStream = std::numeric_limits<std::uint32_t>::max();

// Who gets a message of a stream: each of its receivers, or exactly one of them.
enum class Spread : std::uint8_t { kEach, kOne };

// The messages of one publisher.
struct StreamPlan {
  std::string topic;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  Spread spread = Spread::kEach;
  std::uint32_t receivers = 1;  // of every message, with kEach
  bool retain = false;
  bool is_ordered = true;  // receivers get the messages in the order in which they are sent
  // Messages that may be on their way to its slowest receiver in a flood.
  std::uint32_t window = 1000;
  // Messages at QoS 1 and 2 that its publisher may have unacknowledged; a 5.0 broker may allow fewer.
  std::uint32_t inflight = 100;
};

// A contiguous part of the plan's numbered filters or streams.
struct Range {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

struct ClientPlan {
  std::string id;
  std::uint32_t stream = kNoStream;  // what it publishes
  Range filters;                     // what it subscribes to, through Plan::filter_at
  mqtt::Qos subscribe_qos = mqtt::Qos::kAtMostOnce;
  Range sources;               // streams it may receive
  std::uint32_t thread = 0;    // modulo the number of threads
  bool keeps_session = false;  // 3.1.1: not clean; 5.0: for an hour
};

struct Plan {
  std::vector<StreamPlan> streams;
  std::vector<ClientPlan> clients;
  std::function<std::string(std::uint64_t)> filter_at;
  // If set, the topic of each message in place of the stream's; always as long as the stream's. Any thread.
  std::function<void(std::uint32_t stream, std::uint64_t number, std::string& topic)> topic_at;
};

}  // namespace nightjar::cli::bench
