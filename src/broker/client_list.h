// What an operator sees of the sessions of a worker. Runs as a task on that worker.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "broker/counters.h"
#include "broker/ids.h"
#include "mqtt/types.h"

namespace nightjar::broker {

class Worker;

struct ClientInfo {
  std::string client_id;
  std::string user_name;
  std::string listener;
  bool is_connected = false;
  // Of the connection, if there is one.
  std::string peer{};
  mqtt::Version version{};
  Duration connected_for{};
  std::uint16_t keep_alive_s = 0;
  std::size_t unsent_bytes = 0;
  // Of the session.
  std::uint32_t session_expiry_s = 0;
  std::size_t subscriptions = 0;
  std::size_t queued = 0;
  std::size_t queued_bytes = 0;
  std::size_t in_flight = 0;
  std::array<std::uint32_t, kDropReasons> dropped{};  // since the session began, or the broker started
};

// The sessions of one shard, in no order; nothing if this worker does not own it.
std::vector<ClientInfo> clients_of(Worker& worker, ShardId shard);

}  // namespace nightjar::broker
