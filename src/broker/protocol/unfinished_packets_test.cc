// Packets that arrive in part: what they may hold together, and whose transfer ends when it is too much.
#include "broker/protocol/unfinished_packets.h"

#include "broker/worker_state.h"
#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using mqtt::ReasonCode;
using mqtt::Version;

constexpr std::size_t kPart = 128 * 1024;

// The limit is of a little more than two such parts.
WorldOptions two_parts() {
  return {.workers = 1, .node = {.unfinished_bytes_max = 2 * kPart + 1024, .sys_interval = Duration{0}}};
}

// The beginning of a PUBLISH of `size` bytes.
std::string beginning_of_publish(std::size_t size) {
  ByteBuffer out;
  const std::string payload(size, 'x');
  mqtt::write_publish(out, Version::k311, {.topic = "big", .payload = as_bytes(payload)});
  return std::string{as_text(out.view())}.substr(0, kPart);
}

void send_part(World& world, Client& client) {
  client.send(as_bytes(beginning_of_publish(kPart + kPart / 4)));
  world.settle();
  client.poll();
}

std::int64_t held(World& world) { return world.node().unfinished_bytes().load(); }

TEST(UnfinishedPackets, ShareABudget) {
  World world{two_parts()};
  Client a = joined(world, "a", {.version = Version::k311});
  Client b = joined(world, "b", {.version = Version::k311});
  Client c = joined(world, "c");
  send_part(world, a);
  send_part(world, b);
  EXPECT_EQ(held(world), std::int64_t{2 * kPart});
  send_part(world, c);
  EXPECT_EQ(c.disconnect_code, ReasonCode::kQuotaExceeded);
  EXPECT_TRUE(c.is_closed());
  EXPECT_EQ(held(world), std::int64_t{2 * kPart});

  a.send(as_bytes(std::string(4 * kPart, 'x')));  // more than is missing
  a.run();
  EXPECT_EQ(world.counters().publish_received, 1U);
  b.drop_link();
  world.settle();
  EXPECT_EQ(held(world), 0);
}

TEST(UnfinishedPackets, TheRestOfALargeOneHasItsPlace) {
  World world{{.workers = 1}};
  Client publisher = joined(world, "publisher", {.version = Version::k311});
  Client subscriber = joined(world, "subscriber", {.version = Version::k311});
  subscriber.subscribe("big");
  subscriber.run();
  broker::Connection& connection = *world.worker(0).state().find_session("publisher")->connection;
  EXPECT_TRUE(broker::Worker::room_for_rest(connection).empty());
  ByteBuffer packets;
  std::string payload(4 * kPart, 'x');
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>('a' + i % 23);
  mqtt::write_publish(packets, Version::k311, {.topic = "big", .payload = as_bytes(payload)});
  const std::size_t size = packets.size();
  mqtt::write_publish(packets, Version::k311, {.topic = "big", .payload = as_bytes(payload)});
  publisher.send(packets.view().first(kPart));
  world.settle();
  // Not yet all of it: a client that promises much gets memory for little more than it sent.
  constexpr std::size_t kTrusted = 256 * 1024;
  EXPECT_EQ(broker::Worker::room_for_rest(connection).size(), kTrusted);
  packets.consume(kPart);
  publisher.send(packets.view().first(kTrusted));
  world.settle();
  EXPECT_EQ(broker::Worker::room_for_rest(connection).size(), size - kPart - kTrusted);
  packets.consume(kTrusted);
  publisher.send(packets.view());
  run_all({&publisher, &subscriber});
  ASSERT_EQ(subscriber.received.size(), 2U);
  EXPECT_EQ(subscriber.received[0].payload, payload);
  EXPECT_EQ(subscriber.received[1].payload, payload);
  EXPECT_TRUE(connection.unread.empty());
}

TEST(UnfinishedPackets, OneThatStandsStillGivesWay) {
  World world{two_parts()};
  Client stalled = joined(world, "stalled");
  Client slow = joined(world, "slow");
  Client quick = joined(world, "quick");
  send_part(world, stalled);
  world.advance(Duration::seconds(6));
  send_part(world, slow);
  world.advance(Duration::seconds(5));
  send_part(world, quick);
  stalled.poll();
  EXPECT_EQ(stalled.disconnect_code, ReasonCode::kQuotaExceeded);
  EXPECT_FALSE(slow.is_closed());
  EXPECT_FALSE(quick.is_closed());
  EXPECT_EQ(held(world), std::int64_t{2 * kPart});
}

TEST(UnfinishedPackets, TheCutOffPartOfAUsualPacketIsNotCounted) {
  World world{two_parts()};
  Client client = joined(world, "client");
  client.send(as_bytes(beginning_of_publish(4 * kPart).substr(0, 60'000)));
  world.settle();
  EXPECT_EQ(held(world), 0);
  EXPECT_FALSE(client.is_closed());
}

TEST(UnfinishedPackets, OneThatTakesSeveralTurnsCountsUntilItIsDone) {
  World world{two_parts()};
  Client client = joined(world, "client");
  std::vector<std::string> filters;
  std::vector<mqtt::SubscriptionRequest> requests;
  for (int i = 0; i < 5000; ++i) filters.push_back(std::to_string(i));
  for (const std::string& filter : filters) requests.push_back({.filter = filter});
  client.subscribe(requests);
  world.turn(0);
  EXPECT_GT(held(world), std::int64_t{5000 * sizeof(mqtt::SubscriptionRequest)});
  client.run();
  EXPECT_EQ(client.subacks.size(), 1U);
  EXPECT_EQ(held(world), 0);
}

}  // namespace
}  // namespace nightjar::testing
