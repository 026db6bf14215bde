// SUBSCRIBE and UNSUBSCRIBE: answers, options, overlapping filters, what the listener offers, and the
// retained messages that follow (sections 3.8 to 3.11, 3.3.1.3).
#include <map>

#include "broker/session/session.h"
#include "broker/worker_state.h"
#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::RetainHandling;
using mqtt::SubscriptionRequest;
using mqtt::Version;
using Requests = std::vector<mqtt::SubscriptionRequest>;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<ReasonCode> codes(const Client& client) {
  return client.subacks.empty() ? std::vector<ReasonCode>{} : client.subacks.back().codes;
}

TEST(Subscribe, AnswersEachFilter) {
  World world;
  Client client = joined(world, "client");
  client.subscribe(Requests{{.filter = "a", .qos = Qos::kAtMostOnce},
                            {.filter = "b/+", .qos = Qos::kAtLeastOnce},
                            {.filter = "c/#", .qos = Qos::kExactlyOnce},
                            {.filter = "wrong#", .qos = Qos::kAtMostOnce},
                            {.filter = "$share/team/d", .qos = Qos::kAtLeastOnce},
                            {.filter = "$share/x", .qos = Qos::kAtLeastOnce}});
  client.run();
  ASSERT_THAT(client.subacks, SizeIs(1));
  EXPECT_EQ(client.subacks[0].packet_id.value, 1);
  EXPECT_THAT(codes(client), ElementsAre(ReasonCode::kSuccess, ReasonCode::kGrantedQos1,
                                         ReasonCode::kGrantedQos2, ReasonCode::kTopicFilterInvalid,
                                         ReasonCode::kGrantedQos1, ReasonCode::kTopicFilterInvalid));
  EXPECT_EQ(world.counters().subscriptions, 4);
  client.unsubscribe("b/+");
  client.unsubscribe("never");
  client.run();
  ASSERT_THAT(client.unsubacks, SizeIs(2));
  EXPECT_THAT(client.unsubacks[0].codes, ElementsAre(ReasonCode::kSuccess));
  EXPECT_THAT(client.unsubacks[1].codes, ElementsAre(ReasonCode::kNoSubscriptionExisted));
}

std::vector<std::string> many_filters(int count, const std::string& prefix = "many/") {
  std::vector<std::string> filters;
  for (int i = 0; i < count; ++i) filters.push_back(prefix + std::to_string(i));
  return filters;
}

Requests requests_for(const std::vector<std::string>& filters) {
  Requests requests;
  for (const std::string& filter : filters) requests.push_back({.filter = filter, .qos = Qos::kAtLeastOnce});
  return requests;
}

void unsubscribe_all(Client& client, const std::vector<std::string>& filters) {
  const std::vector<std::string_view> views(filters.begin(), filters.end());
  ByteBuffer out;
  mqtt::write_unsubscribe(out, client.version(), {client.next_packet_id++}, views);
  client.send(out.view());
}

// More than a worker acts on in one turn.
constexpr int kMany = 5000;

TEST(Subscribe, ManyFiltersTakeSeveralTurnsAndLeaveOthersTheirs) {
  World world{{.workers = 1}};
  Client other = joined(world, "other");
  Client client = joined(world, "client");
  const auto filters = many_filters(kMany);
  client.subscribe(requests_for(filters));
  client.ping();
  world.turn(0);
  EXPECT_GT(world.counters().subscriptions, 0);
  EXPECT_LT(world.counters().subscriptions, kMany);
  other.ping();
  world.turn(0);
  other.poll();
  EXPECT_EQ(other.pings, 1);
  EXPECT_LT(world.counters().subscriptions, kMany);
  client.run();
  ASSERT_THAT(client.subacks, SizeIs(1));
  EXPECT_EQ(codes(client), std::vector<ReasonCode>(kMany, ReasonCode::kGrantedQos1));
  EXPECT_EQ(client.log.back(), PacketType::kPingresp) << "what came behind waits for it";
  EXPECT_EQ(world.counters().subscriptions, kMany);

  unsubscribe_all(client, filters);
  client.ping();
  world.turn(0);
  EXPECT_GT(world.counters().subscriptions, 0);
  client.run();
  ASSERT_THAT(client.unsubacks, SizeIs(1));
  EXPECT_EQ(client.unsubacks[0].codes, std::vector<ReasonCode>(kMany, ReasonCode::kSuccess));
  EXPECT_EQ(client.pings, 2);
  EXPECT_EQ(world.counters().subscriptions, 0);
}

TEST(Subscribe, SeveralLargePacketsShareTheTurns) {
  World world{{.workers = 1}};
  Client first = joined(world, "first");
  Client second = joined(world, "second");
  first.subscribe(requests_for(many_filters(kMany, "first/")));
  second.subscribe(requests_for(many_filters(kMany, "second/")));
  second.subscribe("last");
  world.turn(0);
  world.turn(0);
  const auto held = [&](const Client& client) {
    return world.worker(0).state().find_session(client.id())->subscriptions.size();
  };
  EXPECT_GT(held(first), 0U);
  EXPECT_GT(held(second), 0U);
  run_all({&first, &second});
  EXPECT_THAT(first.subacks, SizeIs(1));
  EXPECT_THAT(second.subacks, SizeIs(2));
}

TEST(Subscribe, AConnectionThatEndsTakesTheRestOfItsPacketAlong) {
  World world{{.workers = 1}};
  Client client = joined(world, "client");
  client.subscribe(requests_for(many_filters(kMany)));
  world.turn(0);
  Client next = joined(world, "client");
  EXPECT_EQ(world.counters().subscriptions, 0);
  next.subscribe("many/1");
  next.publish("many/1", "once");
  next.run();
  EXPECT_THAT(next.received, SizeIs(1));
}

TEST(Subscribe, ABridgeGetsNothingOfItsOwnBackAndKeepsRetain) {
  World world;
  Client bridge{world, "bridge"};
  bridge.connect({.version = Version::k311});
  constexpr std::size_t kLevel = 8;  // behind the fixed header and "MQTT"
  bridge.wire().to_broker.data()[kLevel] |= std::byte{0x80};
  bridge.run();
  ASSERT_EQ(bridge.connack_code, ReasonCode::kSuccess);
  bridge.subscribe("shared/#");
  bridge.publish("shared/own", "own", {.retain = true});
  bridge.run();
  EXPECT_THAT(bridge.received, IsEmpty());
  Client other = joined(world, "other");
  other.publish("shared/other", "other", {.retain = true});
  run_all({&other, &bridge});
  ASSERT_THAT(bridge.received, SizeIs(1));
  EXPECT_EQ(bridge.received[0].payload, "other");
  EXPECT_TRUE(bridge.received[0].retain);
}

TEST(Subscribe, AnInvalidFilterFarBehindEndsA311Connection) {
  World world;
  Client client = joined(world, "client", {.version = Version::k311});
  auto filters = many_filters(kMany);
  filters.emplace_back("wrong#");
  client.subscribe(requests_for(filters));
  client.run();
  EXPECT_TRUE(client.is_closed());
  EXPECT_THAT(client.subacks, IsEmpty());
}

TEST(Subscribe, AKeepAliveDoesNotEndMeanwhile) {
  World world{{.workers = 1}};
  Client client = joined(world, "client", {.keep_alive_s = 2});
  client.subscribe(requests_for(many_filters(kMany)));
  world.turn(0);
  world.jump(Duration::seconds(2));
  world.turn(0);
  world.jump(Duration::seconds(2));
  world.turn(0);
  client.run();
  EXPECT_FALSE(client.is_closed());
  EXPECT_THAT(client.subacks, SizeIs(1));
}

TEST(Subscribe, AShardMovesInTheMiddleOfIt) {
  World world{{.workers = 2}};
  const std::string id = id_at(world, 0);
  Client client = joined(world, id);
  client.subscribe(requests_for(many_filters(kMany)));
  client.ping();
  world.turn(0);
  world.move_shard(world.node().shard_of(id), 1);
  client.run();
  ASSERT_THAT(client.subacks, SizeIs(1));
  EXPECT_THAT(codes(client), SizeIs(kMany));
  EXPECT_EQ(client.pings, 1);
  EXPECT_EQ(world.worker(1).counters().subscriptions, kMany);
  client.publish("many/4999", "here");
  client.run();
  EXPECT_THAT(client.received, SizeIs(1));
}

TEST(Subscribe, AClientIsAMemberOfTenThousandGroupsAtMost) {
  World world;
  Client client = joined(world, "client");
  client.subscribe(requests_for(many_filters(10'001, "$share/g/")));
  client.run();
  ASSERT_THAT(codes(client), SizeIs(10'001));
  EXPECT_EQ(codes(client)[9'999], ReasonCode::kGrantedQos1);
  EXPECT_EQ(codes(client)[10'000], ReasonCode::kQuotaExceeded);
  client.subscribe(Requests{{.filter = "$share/g/7", .qos = Qos::kExactlyOnce}, {.filter = "plain"}});
  client.run();
  EXPECT_THAT(codes(client), ElementsAre(ReasonCode::kGrantedQos2, ReasonCode::kSuccess));
}

TEST(Subscribe, AnInvalidFilterEndsA311Connection) {
  World world;
  Client client = joined(world, "client", {.version = Version::k311});
  client.subscribe("sport/tennis#");
  client.run();
  EXPECT_TRUE(client.is_closed());
}

TEST(Subscribe, EachListenerOffersWhatItsPolicySays) {
  struct Offer {
    broker::ListenerPolicy listener;
    std::string filter;
    std::uint32_t identifier;
    ReasonCode code;
    std::string why;  // names the limit and its value
  };
  const std::vector<Offer> offers = {
      {{.shared_subscription_available = false},
       "$share/t/a",
       0,
       ReasonCode::kSharedSubscriptionsNotSupported,
       "shared_subscription_available = false"},
      {{.wildcard_subscription_available = false},
       "a/#",
       0,
       ReasonCode::kWildcardSubscriptionsNotSupported,
       "wildcard_subscription_available = false"},
      {{.wildcard_subscription_available = false},
       "$share/t/+",
       0,
       ReasonCode::kWildcardSubscriptionsNotSupported,
       "wildcard_subscription_available = false"},
      {{.subscription_identifier_available = false},
       "a",
       5,
       ReasonCode::kSubscriptionIdentifiersNotSupported,
       "subscription_identifier_available = false"},
      {{.topic_levels_max = 2}, "a/b/c", 0, ReasonCode::kTopicFilterInvalid, "max_topic_levels = 2"},
      {{.subscriptions_max = 0}, "a", 0, ReasonCode::kQuotaExceeded, "max_subscriptions = 0"},
      {{.maximum_qos = Qos::kAtLeastOnce}, "a", 0, ReasonCode::kGrantedQos1, ""}};
  for (const Offer& offer : offers) {
    World world{{.listener = offer.listener}};
    Client client = joined(world, "client");
    client.subscribe(offer.filter, Qos::kExactlyOnce, offer.identifier);
    client.run();
    EXPECT_THAT(codes(client), ElementsAre(offer.code)) << offer.filter;
    EXPECT_THAT(client.subacks[0].reason, HasSubstr(offer.why));
    EXPECT_EQ(client.subacks[0].reason.empty(), offer.why.empty());
    if (offer.identifier != 0) continue;
    Client old = joined(world, "old", {.version = Version::k311});
    old.subscribe(offer.filter, Qos::kExactlyOnce);
    old.run();
    EXPECT_FALSE(old.is_closed());
    const bool is_granted = static_cast<int>(offer.code) < 0x80;
    EXPECT_THAT(codes(old), ElementsAre(is_granted ? offer.code : ReasonCode::kUnspecifiedError));
  }
}

TEST(Subscribe, ASessionHoldsSoManyAndNoMore) {
  World world{{.listener = {.subscriptions_max = 2}}};
  Client client = joined(world, "client");
  client.subscribe(
      {{.filter = "a"}, {.filter = "b"}, {.filter = "c"}, {.filter = "a", .qos = Qos::kAtLeastOnce}});
  client.run();
  EXPECT_THAT(codes(client), ElementsAre(ReasonCode::kSuccess, ReasonCode::kSuccess,
                                         ReasonCode::kQuotaExceeded, ReasonCode::kGrantedQos1));
  EXPECT_THAT(client.subacks[0].reason, HasSubstr("max_subscriptions = 2"));
}

class OnlyOwn : public OpenDoor {
 public:
  bool may_subscribe(const broker::ClientIdentity& who, std::string_view filter) override {
    return filter.starts_with(who.client_id);
  }
};

TEST(Subscribe, DeniedFiltersAreNotEntered) {
  OnlyOwn rules;
  World world{{.authorizer = &rules}};
  Client client = joined(world, "mine");
  client.subscribe(
      {{.filter = "mine/#"}, {.filter = "#"}, {.filter = "$share/t/mine/#"}, {.filter = "$share/mine/#"}});
  client.run();
  EXPECT_THAT(codes(client), ElementsAre(ReasonCode::kSuccess, ReasonCode::kNotAuthorized,
                                         ReasonCode::kSuccess, ReasonCode::kNotAuthorized));
  EXPECT_EQ(world.counters().subscriptions, 2);
}

TEST(Subscribe, AnAnswerAboveTheClientsPacketSizeEndsTheConnection) {
  World world;
  Client client = joined(world, "client", {.packet_bytes_max = 30});
  std::vector<std::string> filters;
  std::vector<SubscriptionRequest> requests;
  for (int i = 0; i < 40; ++i) filters.push_back("f" + std::to_string(i));
  for (const std::string& filter : filters) requests.push_back({.filter = filter});
  client.subscribe(requests);
  client.run();
  EXPECT_THAT(client.subacks, IsEmpty());
  EXPECT_EQ(client.disconnect_code, ReasonCode::kPacketTooLarge);
}

TEST(Overlapping, OneCopyAtTheHighestQosWithAllIdentifiers) {
  World world;
  Client client = joined(world, "client");
  client.subscribe("a/#", Qos::kAtMostOnce, 1);
  client.subscribe("a/+", Qos::kExactlyOnce, 2);
  client.subscribe("a/b", Qos::kAtLeastOnce);
  client.subscribe("c", Qos::kAtLeastOnce, 4);
  client.run();
  Client publisher = joined(world, "publisher");
  publisher.publish("a/b", "x", {.qos = Qos::kExactlyOnce});
  run_all({&publisher, &client});
  ASSERT_THAT(client.received, SizeIs(1));
  EXPECT_EQ(client.received[0].qos, Qos::kExactlyOnce);
  EXPECT_THAT(client.received[0].subscription_ids, ::testing::UnorderedElementsAre(1U, 2U));
}

TEST(Resubscribe, ReplacesTheOptions) {
  World world;
  Client client = joined(world, "client");
  client.subscribe("a", Qos::kExactlyOnce, 1);
  client.subscribe(Requests{{.filter = "a", .qos = Qos::kAtMostOnce, .no_local = true}}, 2);
  client.run();
  EXPECT_EQ(world.counters().subscriptions, 1);
  Client publisher = joined(world, "publisher");
  publisher.publish("a", "x", {.qos = Qos::kExactlyOnce});
  client.publish("a", "own");
  run_all({&publisher, &client});
  EXPECT_THAT(payloads(client), ElementsAre("x"));
  EXPECT_EQ(client.received[0].qos, Qos::kAtMostOnce);
  EXPECT_THAT(client.received[0].subscription_ids, ElementsAre(2U));
}

TEST(NoLocal, LeavesOutTheClientsOwnMessagesOnly) {
  World world;
  Client client = joined(world, "client");
  client.subscribe(Requests{{.filter = "a", .no_local = true}});
  client.subscribe("b");
  Client publisher = joined(world, "publisher");
  client.publish("a", "1");
  client.publish("b", "2");
  publisher.publish("a", "3");
  run_all({&publisher, &client});
  EXPECT_THAT(payloads(client), ElementsAre("2", "3"));
}

TEST(RetainAsPublished, KeepsTheFlag) {
  World world;
  Client client = joined(world, "client");
  client.subscribe(Requests{{.filter = "a", .retain_as_published = true}, {.filter = "b"}});
  client.run();
  Client publisher = joined(world, "publisher");
  for (const std::string topic : {"a", "b"}) {
    publisher.publish(topic, topic + " retained", {.retain = true});
    publisher.publish(topic, topic + " plain");
  }
  run_all({&publisher, &client});
  std::vector<bool> flags;
  for (const Received& got : client.received) flags.push_back(got.retain);
  EXPECT_THAT(flags, ElementsAre(true, false, false, false));
}

// ---- retained messages ----

struct Shelf {
  explicit Shelf(const WorldOptions& options = {}) : world{options} {}
  void put(const std::string& topic, const std::string& payload, Qos qos = Qos::kAtMostOnce) {
    publisher.publish(topic, payload, {.qos = qos, .retain = true});
    publisher.run();
  }
  World world;
  Client publisher = joined(world, "publisher");
};

TEST(Retained, FollowsTheSuback) {
  Shelf shelf;
  shelf.put("a/1", "one", Qos::kExactlyOnce);
  shelf.put("a/2", "two");
  shelf.put("b", "other");
  shelf.put("a/3", "gone");
  shelf.put("a/3", "");
  Client client = joined(shelf.world, "client");
  client.subscribe("a/#", Qos::kAtLeastOnce, 9);
  client.run();
  EXPECT_EQ(client.log[1], PacketType::kSuback);
  EXPECT_THAT(payloads(client), ::testing::UnorderedElementsAre("one", "two"));
  for (const Received& got : client.received) {
    EXPECT_TRUE(got.retain);
    EXPECT_EQ(got.qos, got.payload == "one" ? Qos::kAtLeastOnce : Qos::kAtMostOnce);
    EXPECT_THAT(got.subscription_ids, ElementsAre(9U));
  }
  expect_balanced(shelf.world);
}

// One client at a time may publish no more.
class WithoutOne : public OpenDoor {
 public:
  bool may_publish(const broker::ClientIdentity& who, std::string_view, Qos, bool) override {
    return who.client_id != banned;
  }
  [[nodiscard]] bool checks_receive() const override { return true; }
  std::string banned;
};

TEST(Retained, OfWhoMayPublishNoMoreStaysAwayWhereThatIsAsked) {
  for (const bool is_asked : {true, false}) {
    WithoutOne rules;
    World world{
        {.node = {.checks_retained_source = is_asked, .sys_interval = Duration{0}}, .authorizer = &rules}};
    Client good = joined(world, "good");
    Client bad = joined(world, "bad");
    good.publish("a/1", "kept", {.retain = true});
    bad.publish("a/2", "banned", {.retain = true});
    run_all({&good, &bad});
    rules.banned = "bad";
    Client reader = joined(world, "reader");
    reader.subscribe("a/#");
    reader.run();
    if (is_asked) {
      EXPECT_THAT(payloads(reader), ElementsAre("kept"));
    } else {
      EXPECT_THAT(payloads(reader), ::testing::UnorderedElementsAre("kept", "banned"));
    }
  }
}

TEST(Retained, HandlingSaysWhether) {
  struct Row {
    RetainHandling handling;
    std::size_t first, second;
  };
  for (const Row row : {Row{RetainHandling::kSend, 1, 2}, Row{RetainHandling::kSendIfNew, 1, 1},
                        Row{RetainHandling::kDoNotSend, 0, 0}}) {
    Shelf shelf;
    shelf.put("a", "kept");
    Client client = joined(shelf.world, "client");
    client.subscribe(Requests{{.filter = "a", .retain_handling = row.handling}});
    client.run();
    EXPECT_THAT(client.received, SizeIs(row.first));
    client.subscribe(Requests{{.filter = "a", .retain_handling = row.handling}});
    client.run();
    EXPECT_THAT(client.received, SizeIs(row.second));
  }
}

TEST(Retained, ExpiresAndTellsWhatRemains) {
  Shelf shelf;
  ByteBuffer properties;
  mqtt::PropertyWriter{properties}.u32(mqtt::PropertyId::kMessageExpiryInterval, 20);
  shelf.publisher.publish("a", "kept",
                          {.retain = true, .properties = std::string{as_text(properties.view())}});
  shelf.publisher.run();
  shelf.world.advance(Duration::seconds(5));
  Client early = joined(shelf.world, "early");
  early.subscribe("#");
  early.run();
  ASSERT_THAT(early.received, SizeIs(1));
  EXPECT_EQ(early.received[0].expiry_s, 15U);
  shelf.world.advance(Duration::seconds(15));
  Client late = joined(shelf.world, "late");
  late.subscribe("#");
  late.subscribe("a");
  late.run();
  EXPECT_THAT(late.received, IsEmpty());
}

TEST(Replay, IsPacedByAClientThatDoesNotRead) {
  Shelf shelf{{.listener = {.output_bytes_max = 20'000}}};
  for (int i = 0; i < 300; ++i)
    shelf.publisher.publish("a/" + std::to_string(i), std::string(1000, 'x'), {.retain = true});
  shelf.publisher.run();
  Client client = joined(shelf.world, "client");
  client.wire().capacity = 5000;
  client.reads = false;
  client.subscribe("a/#");
  client.run();
  EXPECT_LE(shelf.world.counters().ledger.routed, 30U) << "the rest is not read yet";
  shelf.publisher.publish("a/new", "live");
  shelf.publisher.run();
  client.reads = true;
  for (int i = 0; i < 200; ++i) client.run();
  ASSERT_THAT(client.received, SizeIs(301));
  EXPECT_EQ(client.received.back().payload, "live") << "behind the replay";
  expect_balanced(shelf.world);
}

TEST(Replay, ShowsTheOldThenTheNewNeverTheReverse) {
  Shelf shelf{{.workers = 3, .listener = {.output_bytes_max = 5'000}}};
  for (int i = 0; i < 100; ++i) {
    shelf.publisher.publish("a/" + std::to_string(i), "old" + std::string(200, '.'),
                            {.qos = Qos::kAtLeastOnce, .retain = true});
  }
  shelf.publisher.run();
  Client client = joined(shelf.world, "client");
  client.wire().capacity = 2000;
  client.reads = false;
  client.subscribe("a/#", Qos::kAtLeastOnce);
  client.run();
  for (int i = 0; i < 100; ++i) {
    shelf.publisher.publish("a/" + std::to_string(i), "new", {.qos = Qos::kAtLeastOnce, .retain = true});
  }
  shelf.publisher.run();
  client.reads = true;
  for (int i = 0; i < 200; ++i) client.run();
  std::map<std::string, std::string> seen;
  for (const Received& got : client.received) seen[got.topic] += got.payload[0];
  ASSERT_THAT(seen, SizeIs(100));
  bool has_skipped_old = false;
  for (const auto& [topic, order] : seen) {
    EXPECT_TRUE(order == "on" || order == "n") << topic << " " << order;
    has_skipped_old |= order == "n";
  }
  EXPECT_TRUE(has_skipped_old) << "the replay had not got that far";
  expect_balanced(shelf.world);
}

TEST(Replay, IsNotDoubledByWhatWasOnItsWay) {
  World world{{.workers = 2}};
  Client publisher = joined(world, id_at(world, 0, "p"));
  Client client = joined(world, id_at(world, 1));
  client.subscribe("other/#");
  client.run();
  // Stored and matched before the subscription, and in the mail while it is made.
  Client witness = joined(world, id_at(world, 1, "w"));
  witness.subscribe("a", Qos::kAtLeastOnce);
  witness.run();
  publisher.publish("a", "once", {.qos = Qos::kAtLeastOnce, .retain = true});
  world.turn(0);
  client.subscribe("a", Qos::kAtLeastOnce);
  world.turn(1);
  run_all({&client, &witness});
  EXPECT_THAT(payloads(client), ElementsAre("once"));
  EXPECT_TRUE(client.received[0].retain);
  EXPECT_THAT(payloads(witness), ElementsAre("once"));
}

TEST(Replay, EndsWithItsSubscription) {
  Shelf shelf{{.listener = {.output_bytes_max = 5'000}}};
  for (int i = 0; i < 100; ++i)
    shelf.publisher.publish("a/" + std::to_string(i), std::string(500, 'x'), {.retain = true});
  shelf.publisher.run();
  Client client = joined(shelf.world, "client");
  client.wire().capacity = 2000;
  client.reads = false;
  client.subscribe("a/#");
  client.run();
  client.unsubscribe("a/#");
  client.run();
  client.reads = true;
  for (int i = 0; i < 100; ++i) client.run();
  EXPECT_THAT(client.unsubacks, SizeIs(1));
  EXPECT_LT(client.received.size(), 20U);
  const auto last = std::find(client.log.rbegin(), client.log.rend(), PacketType::kPublish);
  const auto unsuback = std::find(client.log.rbegin(), client.log.rend(), PacketType::kUnsuback);
  EXPECT_LT(unsuback - client.log.rbegin(), last - client.log.rbegin()) << "nothing behind UNSUBACK";
  shelf.publisher.publish("a/1", "more");
  run_all({&shelf.publisher, &client});
  EXPECT_LT(client.received.size(), 20U);
}

TEST(Replay, GoesOnAfterAReconnect) {
  Shelf shelf{{.listener = {.inflight_max = 10}}};
  for (int i = 0; i < 100; ++i) shelf.put("a/" + std::to_string(i), std::to_string(i), Qos::kAtLeastOnce);
  Client client = joined(shelf.world, "client", {.session_expiry_s = 100});
  client.auto_acknowledge = false;
  client.subscribe("a/#", Qos::kAtLeastOnce);
  client.run();
  EXPECT_THAT(client.received, SizeIs(10));
  client.drop_link();
  shelf.publisher.publish("a/live", "live", {.qos = Qos::kAtLeastOnce});
  shelf.publisher.run();
  client.received.clear();
  client.auto_acknowledge = true;
  client.connect({.clean_start = false});
  client.run();
  EXPECT_THAT(client.received, SizeIs(101));
  EXPECT_EQ(client.received.back().payload, "live");
  expect_balanced(shelf.world);
}

TEST(Replay, OfMoreFiltersThanATurnLooksUpIsComplete) {
  Shelf shelf;
  // Each of these visits as many topics as a look may.
  constexpr std::size_t kFilters =
      3 * broker::kRetainedVisitsPerTurn / broker::RetainedMessages::kVisitsForALook;
  std::vector<mqtt::SubscriptionRequest> requests;
  std::vector<std::string> filters(kFilters);
  for (std::size_t i = 0; i < kFilters; ++i) {
    shelf.put("a/" + std::to_string(i) + "/x", std::to_string(i));
    filters[i] = "+/" + std::to_string(i) + "/+";
    requests.push_back({.filter = filters[i]});
  }
  Client client = joined(shelf.world, "client");
  client.subscribe(requests);
  client.run();
  EXPECT_THAT(client.received, SizeIs(kFilters));
}

TEST(Replay, OfManyFiltersThatNothingMatchesHoldsNobodyUp) {
  Shelf shelf;
  for (int i = 0; i < 50; ++i) shelf.put("$other/" + std::to_string(i), "x");
  constexpr std::size_t kFilters = 20'000;
  std::vector<std::string> filters(kFilters);
  std::vector<mqtt::SubscriptionRequest> requests;
  for (std::size_t i = 0; i < kFilters; ++i) {
    filters[i] = "dev/" + std::to_string(i) + "/+";
    requests.push_back({.filter = filters[i]});
  }
  Client client = joined(shelf.world, "client");
  client.subscribe(requests);
  while (client.subacks.empty()) {
    for (std::uint16_t worker = 0; worker < shelf.world.worker_count(); ++worker) {
      shelf.world.turn(worker);
      const broker::Session* session = shelf.world.worker(worker).state().find_session("client");
      ASSERT_TRUE(session == nullptr || session->replays.empty());
    }
    client.poll();
  }
}

TEST(Replay, AgainForAnExistingSubscriptionLosesNothing) {
  Shelf shelf;
  shelf.put("a", "1", Qos::kAtLeastOnce);
  Client client = joined(shelf.world, "client", {.receive_maximum = 1});
  client.auto_acknowledge = false;
  client.subscribe("a", Qos::kAtLeastOnce);
  client.run();
  shelf.put("a", "2", Qos::kAtLeastOnce);
  client.subscribe("a", Qos::kAtLeastOnce);
  client.run();
  shelf.put("a", "3", Qos::kAtLeastOnce);
  for (std::size_t i = 0; i < client.received.size(); ++i) {
    client.acknowledge(PacketType::kPuback, client.received[i].packet_id);
    client.run();
  }
  // The second 2 is retained: what the second SUBSCRIBE has to bring [MQTT-3.8.4-3].
  EXPECT_THAT(payloads(client), ElementsAre("1", "2", "2", "3"));
  expect_balanced(shelf.world);
}

TEST(Replay, LeavesOutWhatExpiredWhileItWaited) {
  Shelf shelf;
  ByteBuffer properties;
  mqtt::PropertyWriter{properties}.u32(mqtt::PropertyId::kMessageExpiryInterval, 20);
  for (int i = 0; i < 10; ++i) {
    shelf.publisher.publish(
        "a/" + std::to_string(i), "x",
        {.qos = Qos::kAtLeastOnce, .retain = true, .properties = std::string{as_text(properties.view())}});
  }
  shelf.publisher.run();
  Client client = joined(shelf.world, "client", {.receive_maximum = 4});
  client.auto_acknowledge = false;
  client.subscribe("a/#", Qos::kAtLeastOnce);
  client.run();
  EXPECT_THAT(client.received, SizeIs(4));
  shelf.world.advance(Duration::seconds(30));
  for (const Received& got : client.received) client.acknowledge(PacketType::kPuback, got.packet_id);
  client.run();
  EXPECT_THAT(client.received, SizeIs(4));
  expect_balanced(shelf.world);
}

TEST(Retained, EachSubscribeBringsThemAlsoWhileOthersWait) {
  World world;
  Client publisher = joined(world, "publisher");
  publisher.publish("door", "open", {.retain = true});
  publisher.run();
  Client client = joined(world, "client");
  for (int n = 0; n < 3; ++n) client.subscribe("door", Qos::kAtLeastOnce);
  client.run();
  EXPECT_THAT(client.subacks, SizeIs(3));
  EXPECT_THAT(client.received, SizeIs(3));
}

TEST(Retained, ManyReplaysShareTheTurnsWithOthers) {
  World world{{.workers = 1}};
  Client publisher = joined(world, "publisher");
  for (int n = 0; n < 10'000; ++n) publisher.publish("q/" + std::to_string(n) + "/x", "v", {.retain = true});
  publisher.run();
  Client greedy = joined(world, "greedy");
  Requests requests;
  std::vector<std::string> filters;
  for (int n = 0; n < 60; ++n) filters.push_back("q/+/y" + std::to_string(n));
  for (const std::string& filter : filters) requests.push_back({.filter = filter});
  greedy.subscribe(requests);
  world.turn(0);
  const broker::Session* session = world.worker(0).state().find_session("greedy");
  EXPECT_GT(session->replays.size(), 50U) << "one turn did the work of many";
  greedy.run();
  EXPECT_TRUE(session->replays.empty());
}

struct LongShelf {
  LongShelf() {
    for (int n = 0; n < kMessages; ++n) publisher.publish("q/" + std::to_string(n), "v", {.retain = true});
    publisher.run();
    world.advance(Duration::seconds(1));
  }
  // Turns without time passing.
  void turns() {
    for (int n = 0; n < 50; ++n) world.turn(0);
  }
  static constexpr int kMessages = 2'000;
  World world{{.workers = 1}};
  Client publisher = joined(world, "publisher");
};

TEST(Replay, TakesASmallPartOfEachMillisecondBesideAPublisher) {
  LongShelf shelf;
  Client first = joined(shelf.world, "first");
  Client second = joined(shelf.world, "second");
  shelf.publisher.publish("other", "v");
  first.subscribe("q/#");
  second.subscribe("q/#");
  shelf.turns();
  first.poll();
  second.poll();
  EXPECT_LT(first.received.size() + second.received.size(), 400U);
  for (int ms = 0; ms < 6; ++ms) {
    shelf.world.jump(Duration{1});
    shelf.turns();
  }
  first.poll();
  second.poll();
  EXPECT_GT(first.received.size(), 200U) << "each has its turn";
  EXPECT_GT(second.received.size(), 200U) << "each has its turn";
  EXPECT_LT(first.received.size() + second.received.size(), 2'000U);
  shelf.publisher.publish("other", "v");
  first.run();
  second.run();
  EXPECT_THAT(first.received, SizeIs(LongShelf::kMessages));
  EXPECT_THAT(second.received, SizeIs(LongShelf::kMessages));
}

TEST(Replay, TakesAllTimeWhenNobodyPublishes) {
  LongShelf shelf;
  Client client = joined(shelf.world, "client");
  client.subscribe("q/#");
  shelf.turns();
  client.poll();
  EXPECT_THAT(client.received, SizeIs(LongShelf::kMessages));
}

TEST(Subscribe, A311ClientIsToldOfASharedFilterThatIsNone) {
  World world;
  Client client = joined(world, "client", {.version = Version::k311});
  client.subscribe(Requests{{.filter = "$share/g"}, {.filter = "good"}});
  client.run();
  EXPECT_FALSE(client.is_closed());
  EXPECT_THAT(codes(client), ElementsAre(ReasonCode::kUnspecifiedError, ReasonCode::kSuccess));
}

TEST(Subscribe, FiltersOfOneSessionAreBoundedInBytes) {
  World world;
  Client client = joined(world, "client");
  const std::string tail(65'000, 'x');
  int refused = 0;
  for (int n = 0; n < 1'100; ++n) {
    client.subscribe(std::to_string(n) + "/" + tail);
    client.run();
    if (codes(client) == std::vector{ReasonCode::kQuotaExceeded}) ++refused;
  }
  EXPECT_THAT(client.subacks.back().reason, HasSubstr("67108864 bytes"));
  EXPECT_GT(refused, 50);
  EXPECT_LT(refused, 100);
}

}  // namespace
}  // namespace nightjar::testing
