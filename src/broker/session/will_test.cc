// The life of a Will Message (sections 3.1.2.5, 3.1.3.2.2, 3.1.4, 3.14.4): every combination of delay,
// session expiry, way to end and next connection, for 3.1.1 and 5.0.
#include <optional>
#include <string_view>

#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using broker::DropReason;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

enum class End { kNormal, kWithWill, kDropped, kTakenOver, kKeepAlive, kProtocolError };
enum class Next { kNone, kCleanStart, kResume };

std::string_view to_text(End end) {
  constexpr std::string_view kTexts[] = {"DISCONNECT 0x00", "DISCONNECT 0x04", "dropped",
                                         "taken over",      "keep alive",      "protocol error"};
  return kTexts[static_cast<int>(end)];
}
std::string_view to_text(Next next) {
  constexpr std::string_view kTexts[] = {"no next", "next clean", "next resumes"};
  return kTexts[static_cast<int>(next)];
}

constexpr int kDelay = 10;     // seconds
constexpr int kExpiry = 20;    // seconds
constexpr int kNextAfter = 5;  // seconds from the end of one connection to the next CONNECT
constexpr int kWatchFor = 40;  // seconds
constexpr std::uint16_t kKeepAlive = 4;

struct Case {
  Version version = Version::k5;
  int delay = 0;
  bool keeps_session = false;
  End end = End::kDropped;
  Next next = Next::kNone;
};

// Seconds from the end of the connection to the will, or nothing. Written from the standard, not from the
// code.
std::optional<int> will_comes_after(const Case& c) {
  if (c.end == End::kNormal) return {};  // [MQTT-3.14.4-3]
  constexpr int kForever = 1 << 20;
  const int next_at = c.next == Next::kNone ? kForever : c.end == End::kTakenOver ? 0 : kNextAfter;
  int session_ends = !c.keeps_session ? 0 : c.version == Version::k5 ? kExpiry : kForever;
  if (c.next == Next::kCleanStart) session_ends = std::min(session_ends, next_at);
  const int due = std::min(c.delay, session_ends);  // [MQTT-3.1.2-8], [MQTT-3.1.3-9]
  if (due > 0 && c.next == Next::kResume && next_at < due) return {};
  return due;
}

void end_connection(World& world, Client& device, const Case& c, const ConnectOptions& again) {
  switch (c.end) {
    case End::kNormal:
      device.disconnect(ReasonCode::kSuccess);
      break;
    case End::kWithWill:
      device.disconnect(ReasonCode::kDisconnectWithWill);
      break;
    case End::kDropped:
      device.drop_link();
      break;
    case End::kTakenOver: {
      Client successor{world, device.id()};
      successor.connect(again);
      successor.run();
      EXPECT_EQ(successor.connack_code, ReasonCode::kSuccess);
      successor.disconnect();
      device.poll();
      EXPECT_TRUE(device.is_closed());
      if (c.version == Version::k5) {
        EXPECT_EQ(device.disconnect_code, ReasonCode::kSessionTakenOver);
      }
      break;
    }
    case End::kKeepAlive:
      world.advance(Duration::seconds(kKeepAlive * 3 / 2));
      device.poll();
      EXPECT_TRUE(device.is_closed());
      break;
    case End::kProtocolError:
      device.send(as_bytes(std::string_view{"\0\0", 2}));
      world.settle();
      device.poll();
      EXPECT_TRUE(device.is_closed());
      break;
  }
  world.settle();
}

void check(const Case& c) {
  SCOPED_TRACE(::testing::Message() << (c.version == Version::k5 ? "5.0" : "3.1.1") << ", delay " << c.delay
                                    << (c.keeps_session ? ", session kept, " : ", session ends, ")
                                    << to_text(c.end) << ", " << to_text(c.next));
  World world{{.workers = 3}};
  std::vector<Client> watchers;
  for (std::uint16_t worker = 0; worker < 3; ++worker) {
    watchers.push_back(joined(world, id_at(world, worker, "watcher"), {.worker = worker}));
    watchers.back().subscribe("status/+", Qos::kAtLeastOnce);
    watchers.back().run();
  }
  ConnectOptions options{.version = c.version,
                         .clean_start = c.version != Version::k5 && !c.keeps_session,
                         .keep_alive_s = kKeepAlive};
  if (c.version == Version::k5) options.session_expiry_s = c.keeps_session ? kExpiry : 0;
  ConnectOptions again = options;
  again.clean_start = c.next == Next::kCleanStart;
  again.worker = 2;
  options.will = WillOptions{.topic = "status/device", .payload = "gone", .qos = Qos::kAtLeastOnce};
  if (c.version == Version::k5) options.will->delay_s = static_cast<std::uint32_t>(c.delay);
  Client device = joined(world, "device", options);
  ASSERT_EQ(device.connack_code, ReasonCode::kSuccess);

  end_connection(world, device, c, again);
  std::optional<int> came_after;
  for (int second = 0; second <= kWatchFor; ++second) {
    if (second == kNextAfter && c.next != Next::kNone && c.end != End::kTakenOver) {
      device.connect(again);
      device.run();
      EXPECT_EQ(device.connack_code, ReasonCode::kSuccess);
      device.disconnect();
      world.settle();
    }
    for (Client& watcher : watchers) watcher.run();
    if (!came_after && !watchers[0].received.empty()) came_after = second;
    world.advance(Duration::seconds(1));
  }
  const std::optional<int> expected = will_comes_after(c);
  EXPECT_EQ(came_after.value_or(-1), expected.value_or(-1));
  for (const Client& watcher : watchers) {
    EXPECT_THAT(watcher.received, SizeIs(expected ? 1 : 0));
    for (const Received& got : watcher.received) {
      EXPECT_EQ(got.topic, "status/device");
      EXPECT_EQ(got.payload, "gone");
      EXPECT_EQ(got.qos, Qos::kAtLeastOnce);
      EXPECT_FALSE(got.retain);
    }
  }
  EXPECT_EQ(world.counters().wills_published, expected ? 1U : 0U);
  expect_balanced(world);
}

constexpr Next kNexts[] = {Next::kNone, Next::kCleanStart, Next::kResume};

TEST(WillTable, Version5) {
  for (const int delay : {0, kDelay}) {
    for (const bool keeps_session : {false, true}) {
      for (const End end : {End::kNormal, End::kWithWill, End::kDropped, End::kTakenOver, End::kKeepAlive,
                            End::kProtocolError}) {
        for (const Next next : kNexts) {
          if (end == End::kTakenOver && next == Next::kNone) continue;  // the successor is the next one
          check({Version::k5, delay, keeps_session, end, next});
        }
      }
    }
  }
}

TEST(WillTable, Version311) {
  for (const bool keeps_session : {false, true}) {
    for (const End end :
         {End::kNormal, End::kDropped, End::kTakenOver, End::kKeepAlive, End::kProtocolError}) {
      for (const Next next : kNexts) {
        if (end == End::kTakenOver && next == Next::kNone) continue;
        check({Version::k311, 0, keeps_session, end, next});
      }
    }
  }
}

TEST(Will, ALongDelayGivesWayToTheEndOfTheSession) {
  World world;
  Client watcher = joined(world, "watcher");
  watcher.subscribe("status");
  watcher.run();
  Client device = joined(
      world, "device",
      {.session_expiry_s = 5, .will = WillOptions{.topic = "status", .payload = "gone", .delay_s = 60}});
  device.drop_link();
  world.advance(Duration::seconds(4));
  watcher.run();
  EXPECT_THAT(watcher.received, IsEmpty());
  world.advance(Duration::seconds(1));
  watcher.run();
  EXPECT_THAT(payloads(watcher), ElementsAre("gone"));
  EXPECT_EQ(world.counters().sessions, 1);
  EXPECT_EQ(world.counters().sessions_expired, 1U);
}

TEST(Will, ExpiryChangedByDisconnectEndsTheSessionAndSendsTheDelayedWill) {
  World world;
  Client watcher = joined(world, "watcher");
  watcher.subscribe("status");
  watcher.run();
  Client device = joined(
      world, "device",
      {.session_expiry_s = 60, .will = WillOptions{.topic = "status", .payload = "gone", .delay_s = 30}});
  device.disconnect(ReasonCode::kDisconnectWithWill, 0);
  world.settle();
  watcher.run();
  EXPECT_THAT(payloads(watcher), ElementsAre("gone"));
}

TEST(Will, OfTheNewConnectionReplacesTheOldOne) {
  World world;
  Client watcher = joined(world, "watcher");
  watcher.subscribe("status");
  watcher.run();
  Client device = joined(
      world, "device",
      {.session_expiry_s = 60, .will = WillOptions{.topic = "status", .payload = "first", .delay_s = 9}});
  device.connect({.clean_start = false,
                  .session_expiry_s = 60,
                  .will = WillOptions{.topic = "status", .payload = "second", .delay_s = 9}});
  device.run();
  device.drop_link();
  world.advance(Duration::seconds(60));
  watcher.run();
  EXPECT_THAT(payloads(watcher), ElementsAre("second"));
}

TEST(Will, MessageExpiryCountsFromItsPublication) {
  World world;
  Client away = joined(world, "away", {.session_expiry_s = 600});
  away.subscribe("status", Qos::kAtLeastOnce);
  away.run();
  away.drop_link();
  Client late = joined(world, "late", {.session_expiry_s = 600});
  late.subscribe("status", Qos::kAtLeastOnce);
  late.run();
  late.drop_link();
  Client device = joined(
      world, "device",
      {.session_expiry_s = 600,
       .will = WillOptions{
           .topic = "status", .payload = "gone", .qos = Qos::kAtLeastOnce, .delay_s = 100, .expiry_s = 10}});
  device.drop_link();
  world.advance(Duration::seconds(104));  // four seconds after the will
  away.connect({.clean_start = false});
  away.run();
  ASSERT_THAT(away.received, SizeIs(1));
  EXPECT_EQ(away.received[0].expiry_s, 6U);
  world.advance(Duration::seconds(7));
  late.connect({.clean_start = false});
  late.run();
  EXPECT_THAT(late.received, IsEmpty());
  EXPECT_EQ(dropped(world, DropReason::kExpired), 1U);
  expect_balanced(world);
}

TEST(Will, RetainedWillIsThereForLaterSubscribers) {
  World world;
  Client device =
      joined(world, "device", {.will = WillOptions{.topic = "status", .payload = "gone", .retain = true}});
  Client plain = joined(world, "plain", {.will = WillOptions{.topic = "other", .payload = "gone"}});
  device.drop_link();
  plain.drop_link();
  world.settle();
  Client late = joined(world, "late");
  late.subscribe("#");
  late.run();
  ASSERT_THAT(late.received, SizeIs(1));  // [MQTT-3.1.2-14], [MQTT-3.1.2-15]
  EXPECT_EQ(late.received[0].topic, "status");
  EXPECT_TRUE(late.received[0].retain);
}

TEST(Will, RetainedWillOverTheLimitIsStillPublished) {
  World world{{.node = {.retained_messages_max = 0, .sys_interval = Duration{0}}}};
  Client watcher = joined(world, "watcher");
  watcher.subscribe("status");
  watcher.run();
  Client device =
      joined(world, "device", {.will = WillOptions{.topic = "status", .payload = "gone", .retain = true}});
  device.drop_link();
  watcher.run();
  EXPECT_THAT(payloads(watcher), ElementsAre("gone"));
  EXPECT_EQ(world.node().retained().count(), 0U);
}

class NoStatus : public OpenDoor {
 public:
  bool may_publish(const broker::ClientIdentity&, std::string_view topic, Qos, bool) override {
    return topic != "status";
  }
};

TEST(Will, OnADeniedTopicIsNotPublished) {
  NoStatus rules;
  World world{{.authorizer = &rules}};
  Client watcher = joined(world, "watcher");
  watcher.subscribe("#");
  watcher.run();
  Client device = joined(world, "device", {.will = WillOptions{.topic = "status", .payload = "gone"}});
  device.drop_link();
  watcher.run();
  EXPECT_THAT(watcher.received, IsEmpty());
  EXPECT_EQ(world.counters().wills_published, 0U);
}

TEST(Will, IsPublishedBeforeThePacketsOfTheConnectionThatTakesOver) {
  World world{{.workers = 2}};
  Client watcher = joined(world, "watcher", {.worker = 1});
  watcher.subscribe("log", Qos::kAtLeastOnce);
  watcher.run();
  Client device = joined(world, "device",
                         {.will = WillOptions{.topic = "log", .payload = "gone", .qos = Qos::kAtLeastOnce}});
  Client successor{world, "device"};
  successor.connect({.worker = 1});
  successor.publish("log", "back", {.qos = Qos::kAtLeastOnce});
  successor.run();
  watcher.run();
  EXPECT_THAT(payloads(watcher), ElementsAre("gone", "back"));
}

TEST(Will, CarriesItsPropertiesAndNoOthers) {
  World world;
  Client watcher = joined(world, "watcher");
  watcher.subscribe("status");
  watcher.run();
  Client device{world, "device"};
  device.connect({});
  Wire& wire = device.wire();
  wire.to_broker.clear();
  ByteBuffer properties;
  mqtt::PropertyWriter writer{properties};
  writer.u32(mqtt::PropertyId::kWillDelayInterval, 0);
  writer.text(mqtt::PropertyId::kContentType, "text/plain");
  writer.text(mqtt::PropertyId::kResponseTopic, "answers");
  writer.binary(mqtt::PropertyId::kCorrelationData, as_bytes(std::string_view{"7"}));
  writer.user("k", "v");
  mqtt::write_connect(wire.to_broker, {.version = Version::k5,
                                       .client_id = "device",
                                       .has_will = true,
                                       .will_topic = "status",
                                       .will_payload = as_bytes(std::string_view{"gone"}),
                                       .will_properties = properties.view()});
  device.run();
  ASSERT_EQ(device.connack_code, ReasonCode::kSuccess);
  device.drop_link();
  watcher.run();
  ASSERT_THAT(watcher.received, SizeIs(1));
  const Received& got = watcher.received[0];
  EXPECT_EQ(got.content_type, "text/plain");
  EXPECT_EQ(got.response_topic, "answers");
  EXPECT_EQ(got.correlation_data, "7");
  EXPECT_THAT(got.user_properties, ElementsAre(UserPropertyText{"k", "v"}));
}

}  // namespace
}  // namespace nightjar::testing
