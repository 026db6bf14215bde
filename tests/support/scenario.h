// Words that broker tests share: clients that are connected already, several clients at once, what a client
// got.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <numeric>
#include <string>
#include <vector>

#include "broker/counters.h"
#include "tests/support/client.h"
#include "tests/support/world.h"

namespace nightjar::testing {

// A client whose CONNECT was sent and answered.
inline Client joined(World& world, const std::string& client_id, const ConnectOptions& options = {}) {
  Client client{world, client_id};
  client.connect(options);
  client.run();
  return client;
}

// Runs all of them until none gets anything more.
inline void run_all(std::initializer_list<Client*> clients) {
  std::size_t before = 0;
  std::size_t after = 0;
  do {
    before = after;
    after = 0;
    for (Client* client : clients) {
      client->run();
      after += client->log.size();
    }
  } while (after != before);
}

inline std::vector<std::string> payloads(const Client& client) {
  std::vector<std::string> out;
  for (const Received& got : client.received) out.push_back(got.payload);
  return out;
}

// "3", "4", "5" from 3 to 5.
inline std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> out;
  for (int i = from; i <= to; ++i) out.push_back(std::to_string(i));
  return out;
}

inline void publish_numbers(Client& publisher, int from, int to, mqtt::Qos qos,
                            const std::string& topic = "a") {
  for (int i = from; i <= to; ++i) publisher.publish(topic, std::to_string(i), {.qos = qos});
  publisher.run();
}

inline std::uint64_t dropped(const World& world, broker::DropReason reason) {
  return world.counters().ledger.dropped[static_cast<std::size_t>(reason)];
}

// Once nothing moves: every copy is accounted for on every worker, and none lies in a mailbox.
inline void expect_balanced(World& world) {
  world.settle();
  for (std::uint16_t i = 0; i < world.worker_count(); ++i) {
    EXPECT_EQ(world.worker(i).counters().ledger.imbalance(), 0) << "worker " << i;
  }
  const broker::Ledger sum = world.counters().ledger;
  EXPECT_EQ(sum.imbalance(), 0);
  EXPECT_EQ(sum.handed_over, sum.taken_over);
  EXPECT_GE(sum.waiting, 0);
  EXPECT_GE(sum.in_flight, 0);
}

// A client id whose home is `worker`.
inline std::string id_at(World& world, std::uint16_t worker, const std::string& prefix = "c") {
  for (int i = 0;; ++i) {
    std::string id = prefix + std::to_string(i);
    if (world.node().owner_of(world.node().shard_of(id)).value == worker) return id;
  }
}

}  // namespace nightjar::testing
