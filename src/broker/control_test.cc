#include "broker/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/client_list.h"
#include "broker/worker_state.h"
#include "tests/support/client.h"
#include "tests/support/world.h"

namespace nightjar::testing {
namespace {

using mqtt::ReasonCode;

// Runs `task` on a worker as an operator's command comes: by mail, inside a turn.
void run_on(World& world, broker::WorkerIndex worker, std::function<void(broker::Worker&)> task) {
  world.mail_between(worker.value, worker.value).push_back(broker::task_batch(std::move(task)));
  world.settle();
}

TEST(Kick, TellsTheClientAndPublishesItsWill) {
  World world{{.workers = 2}};
  Client watcher{world, "watcher"};
  watcher.connect();
  watcher.run();
  watcher.subscribe("status/#");
  watcher.run();
  Client device{world, "device"};
  device.connect({.will = WillOptions{.topic = "status/device", .payload = "gone"}});
  device.run();
  const broker::WorkerIndex home = world.node().owner_of(world.node().shard_of("device"));
  bool was_there = false;
  run_on(world, home, [&](broker::Worker& worker) { was_there = broker::kick(worker, "device"); });
  device.run();
  watcher.run();
  EXPECT_TRUE(was_there);
  EXPECT_EQ(device.disconnect_code, ReasonCode::kAdministrativeAction);
  EXPECT_TRUE(device.is_closed());
  ASSERT_EQ(watcher.received.size(), 1U);
  EXPECT_EQ(watcher.received[0].payload, "gone");
}

TEST(Kick, KnowsWhoIsNotThere) {
  World world{{.workers = 1}};
  Client away{world, "away"};
  away.connect({.session_expiry_s = 100});
  away.run();
  away.disconnect();
  away.run();
  bool was_there = true;
  run_on(world, {0}, [&](broker::Worker& worker) { was_there = broker::kick(worker, "away"); });
  EXPECT_FALSE(was_there) << "a session without a connection";
  was_there = true;
  run_on(world, {0}, [&](broker::Worker& worker) { was_there = broker::kick(worker, "nobody"); });
  EXPECT_FALSE(was_there);
}

TEST(Clients, AreShownWithWhatWaitsForThem) {
  World world{{.workers = 1}};
  Client away{world, "away"};
  away.connect({.session_expiry_s = 100});
  away.subscribe("a/#", mqtt::Qos::kAtLeastOnce);
  away.run();
  away.disconnect();
  away.run();
  Client here{world, "here"};
  here.connect({.keep_alive_s = 30});
  here.publish("a/b", "v", {.qos = mqtt::Qos::kAtLeastOnce});
  here.run();
  world.advance(Duration::seconds(2));
  const auto of = [&world](std::string_view id) {
    std::vector<broker::ClientInfo> found;
    run_on(world, {0},
           [&](broker::Worker& worker) { found = broker::clients_of(worker, world.node().shard_of(id)); });
    std::erase_if(found, [&](const auto& client) { return client.client_id != id; });
    return found;
  };
  ASSERT_EQ(of("away").size(), 1U);
  const broker::ClientInfo gone = of("away").front();
  EXPECT_FALSE(gone.is_connected);
  EXPECT_EQ(gone.session_expiry_s, 100U);
  EXPECT_EQ(gone.subscriptions, 1U);
  EXPECT_EQ(gone.queued, 1U);
  EXPECT_GT(gone.queued_bytes, 0U);
  ASSERT_EQ(of("here").size(), 1U);
  const broker::ClientInfo connected = of("here").front();
  EXPECT_TRUE(connected.is_connected);
  EXPECT_EQ(connected.peer, "sim");
  EXPECT_EQ(connected.keep_alive_s, 30U);
  EXPECT_EQ(connected.connected_for, Duration::seconds(2));
  EXPECT_TRUE(of("nobody").empty());
}

TEST(Listeners, AreTakenAwayWithTheirClients) {
  World world{{.workers = 1}};
  Client client{world, "client"};
  client.connect();
  client.run();
  std::vector<std::string> seen;
  const auto judge = [&](std::string_view condemned) {
    run_on(world, {0}, [&](broker::Worker& worker) {
      broker::judge_connections(worker, [&](const auto& each) -> std::optional<broker::Farewell> {
        seen.emplace_back(each.who.client_id);
        if (each.policy.name != condemned) return std::nullopt;
        return broker::Farewell{.why = "the listener is gone", .is_expected = true};
      });
    });
    client.run();
  };
  judge("other");
  EXPECT_THAT(seen, ::testing::ElementsAre("client"));
  EXPECT_FALSE(client.is_closed());
  judge("default");
  EXPECT_EQ(client.disconnect_code, ReasonCode::kAdministrativeAction);
}

TEST(Listeners, AreCalledOtherwiseWhileTheirClientsStay) {
  World world{{.workers = 1}};
  Client client{world, "client"};
  client.connect();
  client.run();
  const broker::Session* session = world.worker(0).state().find_session("client");
  const broker::ListenerPolicy& before = *session->policy;
  broker::ListenerPolicy after = before;
  after.name = "renamed";
  std::vector<std::string> seen;
  run_on(world, {0}, [&](broker::Worker& worker) {
    broker::rename_listener(worker, before, after);
    broker::judge_connections(worker, [&](const auto& each) -> std::optional<broker::Farewell> {
      seen.emplace_back(each.who.listener);
      return std::nullopt;
    });
  });
  EXPECT_THAT(seen, ::testing::ElementsAre("renamed"));
  EXPECT_EQ(session->policy->name, "renamed");
  client.disconnect();
  client.run();
  session = nullptr;
  world.drain();
}

TEST(QueueLimits, HoldForSessionsThatAreThereWhenTheyChange) {
  World world{{.workers = 1}};
  Client away{world, "away"};
  away.connect({.session_expiry_s = 100});
  away.subscribe("a", mqtt::Qos::kAtLeastOnce);
  away.run();
  away.disconnect();
  away.run();
  broker::ListenerPolicy strict;
  strict.queue.messages_max = 2;
  const broker::Session* session = world.worker(0).state().find_session("away");
  run_on(world, {0},
         [&](broker::Worker& worker) { broker::change_queue_limits(worker, *session->policy, strict); });
  Client publisher{world, "publisher"};
  publisher.connect();
  for (int n = 0; n < 5; ++n) publisher.publish("a", "v", {.qos = mqtt::Qos::kAtLeastOnce});
  publisher.run();
  EXPECT_EQ(session->outbox.size(), 2U);
  session = nullptr;
  world.drain();
}

TEST(NodePolicies, ChangeWhileTheNodeServes) {
  World world{{.workers = 1, .node = {.retained_messages_max = 1, .sys_interval = Duration{0}}}};
  Client client{world, "client"};
  client.connect();
  client.subscribe("$SYS/broker/version");
  client.publish("a", "v", {.qos = mqtt::Qos::kAtLeastOnce, .retain = true});
  client.publish("b", "v", {.qos = mqtt::Qos::kAtLeastOnce, .retain = true});
  client.run();
  EXPECT_EQ(world.node().retained().count(), 1U);
  broker::NodePolicy policy = world.node().policy();
  policy.retained_messages_max = 10;
  policy.sys_interval = Duration::seconds(5);
  policy.shards = 4096;
  const std::uint16_t shards = world.node().policy().shards;
  world.node().change_policy(policy);
  EXPECT_EQ(world.node().policy().shards, shards) << "not while it runs";
  run_on(world, {0}, [](broker::Worker& worker) { broker::restart_sys_topics(worker); });
  client.publish("b", "v", {.qos = mqtt::Qos::kAtLeastOnce, .retain = true});
  client.run();
  world.advance(Duration::seconds(6));
  client.run();
  EXPECT_FALSE(client.received.empty()) << "$SYS";
  EXPECT_GE(world.node().retained().count(), 2U);
  policy.sys_interval = Duration{0};
  world.node().change_policy(policy);
  run_on(world, {0}, [](broker::Worker& worker) { broker::restart_sys_topics(worker); });
  client.received.clear();
  world.advance(Duration::seconds(60));
  client.run();
  EXPECT_TRUE(client.received.empty());
}

// ---- peers ----

// Clients "c0", "c1" ... of one worker, each with its number as the serial number of its certificate.
struct Peers {
  explicit Peers(int count) {
    for (int i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<Client>(world, "c" + std::to_string(i)));
      clients.back()->connect();
      clients.back()->wire().proof =
          broker::PeerProof{.has_certificate = true, .number = {"CN=CA", std::to_string(i)}};
      clients.back()->run();
    }
  }
  // Looks at all, so many at a time; how many looks it took.
  int judge(std::size_t at_once, const std::function<std::string_view(const broker::Peer&)>& judgement) {
    int looks = 0;
    std::optional<std::size_t> from = 0;
    while (from && looks < 100) {
      run_on(world, {0},
             [&](broker::Worker& worker) { from = broker::judge_peers(worker, *from, at_once, judgement); });
      ++looks;
    }
    for (auto& client : clients) client->run();
    return looks;
  }

  World world{{.workers = 1}};
  std::vector<std::unique_ptr<Client>> clients;
};

TEST(JudgePeers, ThoseThatHaveToGoGoAndOthersStay) {
  Peers peers(10);
  peers.judge(3, [](const broker::Peer& peer) -> std::string_view {
    return peer.proof.number.serial == "2" || peer.proof.number.serial == "9"
               ? "its certificate has been revoked"
               : "";
  });
  for (std::size_t i = 0; i < 10; ++i) {
    const bool goes = i == 2 || i == 9;
    EXPECT_EQ(peers.clients[i]->is_closed(), goes) << i;
    if (goes) {
      EXPECT_EQ(peers.clients[i]->disconnect_code, ReasonCode::kNotAuthorized);
    }
  }
}

TEST(JudgePeers, EveryoneIsSeenHoweverManyGo) {
  Peers peers(20);
  const int looks = peers.judge(4, [](const broker::Peer&) -> std::string_view { return "out"; });
  EXPECT_LE(looks, 7);
  for (const auto& client : peers.clients) EXPECT_TRUE(client->is_closed());
}

TEST(JudgePeers, WhoHasProvenNothingIsNotJudged) {
  World world{{.workers = 1}};
  Client client{world, "client"};
  client.connect();
  client.run();
  run_on(world, {0}, [](broker::Worker& worker) {
    EXPECT_EQ(
        broker::judge_peers(worker, 0, 10, [](const broker::Peer&) -> std::string_view { return "out"; }),
        std::nullopt);
  });
  client.run();
  EXPECT_FALSE(client.is_closed());
}

TEST(MoveShard, OnlyItsOwnerGivesItAway) {
  World world{{.workers = 2}};
  const broker::ShardId shard = world.node().shard_of("client");
  const broker::WorkerIndex owner = world.node().owner_of(shard);
  const broker::WorkerIndex other{static_cast<std::uint16_t>(1 - owner.value)};
  bool has_begun = true;
  run_on(world, other, [&](broker::Worker& worker) { has_begun = broker::move_shard(worker, shard, owner); });
  EXPECT_FALSE(has_begun);
  run_on(world, owner, [&](broker::Worker& worker) { has_begun = broker::move_shard(worker, shard, owner); });
  EXPECT_FALSE(has_begun) << "it is there already";
  run_on(world, owner, [&](broker::Worker& worker) { has_begun = broker::move_shard(worker, shard, other); });
  EXPECT_TRUE(has_begun);
  EXPECT_EQ(world.node().owner_of(shard), other);
}

}  // namespace
}  // namespace nightjar::testing
