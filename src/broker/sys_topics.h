// $SYS/broker/…: the counters of the node as retained messages with Mosquitto's names, so that exporters made
// for it work unchanged. Runs on worker 0, which asks the others for their counters by mail.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "broker/counters.h"

namespace nightjar::broker {

struct WorkerState;

// Moving averages of a rate per minute over 1, 5 and 15 minutes.
struct LoadAverage {
  std::array<double, 3> per_minute{};
  std::uint64_t last_total = 0;
  void update(std::uint64_t total, double seconds);
};

struct SysTopics {
  Counters sum;  // of the workers that answered this round
  std::uint32_t answers_missing = 0;
  std::int64_t clients_maximum = 0;
  std::int64_t last_ms = 0;
  LoadAverage messages_received, messages_sent, publish_received, publish_sent, publish_dropped,
      bytes_received, bytes_sent, connections;
};

// Also again, after the interval changed.
void start_sys_topics(WorkerState& worker);

}  // namespace nightjar::broker
