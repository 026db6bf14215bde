// One broker after another on the same store in memory, of which a crash leaves what was durable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/map_store.h"
#include "tests/support/scenario.h"

namespace nightjar::testing {

inline constexpr ConnectOptions kKept{.clean_start = false, .session_expiry_s = 10'000};
inline constexpr ConnectOptions kClean{};

struct Machine {
  explicit Machine(std::uint16_t worker_count = 2, broker::ListenerPolicy listener_policy = {})
      : workers(worker_count), listener(std::move(listener_policy)) {
    start();
  }
  void start() {
    world.emplace(WorldOptions{.workers = workers,
                               .node = {.shards = 16, .sys_interval = Duration{0}},
                               .listener = listener,
                               .store = &store});
  }
  void crash() {
    world->crash();
    world.reset();
    start();
  }
  // The client of an earlier broker with a link to this one.
  Client again(const std::string& id, const ConnectOptions& options = kKept) {
    return joined(*world, id, options);
  }

  MapStore store;
  std::uint16_t workers;
  broker::ListenerPolicy listener;
  std::optional<World> world;
};

inline Client subscribed(Machine& machine, const std::string& id, const std::string& filter, mqtt::Qos qos,
                         const ConnectOptions& options = kKept) {
  Client client = joined(*machine.world, id, options);
  client.subscribe(filter, qos);
  client.run();
  return client;
}

inline std::vector<mqtt::PacketType> ack_types(const Client& client) {
  std::vector<mqtt::PacketType> types;
  for (const Client::Ack& ack : client.acks) types.push_back(ack.type);
  return types;
}

}  // namespace nightjar::testing
