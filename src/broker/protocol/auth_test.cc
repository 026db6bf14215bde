// Authentication: answers at once, later, in several steps and again on a live connection (sections 3.15 and
// 4.12), and what a client may do meanwhile.
#include <deque>
#include <functional>

#include "tests/support/scenario.h"

namespace nightjar::testing {
namespace {

using broker::AuthRequest;
using broker::AuthVerdict;
using mqtt::PacketType;
using mqtt::ReasonCode;
using mqtt::Version;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

AuthVerdict allow(std::string data = {}) {
  return {.kind = AuthVerdict::Kind::kAllow, .code = ReasonCode::kSuccess, .data = std::move(data)};
}
AuthVerdict refuse(ReasonCode code) {
  return {.kind = AuthVerdict::Kind::kRefuse, .code = code, .reason = "no"};
}
AuthVerdict go_on(std::string data) {
  return {.kind = AuthVerdict::Kind::kContinue, .code = ReasonCode::kSuccess, .data = std::move(data)};
}

// Plain names and passwords by rules of their own; the method "steps" asks one question; both answer at once
// or when the test says so.
class Doorkeeper final : public OpenDoor {
 public:
  struct Question {
    const void* asked_by;
    broker::AuthExchange::Done done;
    AuthVerdict verdict;
  };

  std::unique_ptr<broker::AuthExchange> open(std::string_view method) override {
    if (!method.empty() && method != "steps") return nullptr;
    return std::make_unique<Exchange>(*this);
  }

  // Lets the port answer what it was asked, on the worker that asked.
  void answer(World& world, std::uint16_t worker) {
    world.run_on(worker, [this] {
      while (!waiting.empty()) {
        Question question = std::move(waiting.front());
        waiting.pop_front();
        question.done(std::move(question.verdict));
      }
    });
  }

  bool is_slow = false;
  std::deque<Question> waiting;
  std::vector<std::string> seen;

 private:
  class Exchange final : public broker::AuthExchange {
   public:
    explicit Exchange(Doorkeeper& door) : door_(door) {}
    ~Exchange() override {
      std::erase_if(door_.waiting, [this](const Question& q) { return q.asked_by == this; });
    }
    void start(const AuthRequest& request, Done done) override {
      door_.seen.push_back(std::string{request.client_id} + "/" + std::string{request.user_name} + "/" +
                           std::string{as_text(request.password)} + "/" + std::string{as_text(request.data)});
      if (!request.method.empty()) return tell(std::move(done), go_on("question"));
      if (request.has_user_name && as_text(request.password) != "secret") {
        return tell(std::move(done), refuse(ReasonCode::kBadUserNameOrPassword));
      }
      AuthVerdict verdict = allow();
      verdict.user_name = request.user_name;
      if (request.user_name == "renamed") verdict.client_id = "certificate-id";
      tell(std::move(done), std::move(verdict));
    }
    void proceed(ByteView data, Done done) override {
      if (as_text(data) == "more") return tell(std::move(done), go_on("another"));
      tell(std::move(done),
           as_text(data) == "right" ? allow("welcome") : refuse(ReasonCode::kBadUserNameOrPassword));
    }

   private:
    void tell(Done done, AuthVerdict verdict) {
      if (!door_.is_slow) return done(std::move(verdict));
      door_.waiting.push_back({this, std::move(done), std::move(verdict)});
    }
    Doorkeeper& door_;
  };
};

void send_auth(Client& client, ReasonCode code, std::string_view method, std::string_view data) {
  ByteBuffer properties;
  mqtt::PropertyWriter writer{properties};
  if (!method.empty()) writer.text(mqtt::PropertyId::kAuthenticationMethod, method);
  if (!data.empty()) writer.binary(mqtt::PropertyId::kAuthenticationData, as_bytes(data));
  mqtt::write_auth(client.wire().to_broker, code, properties.view());
}

struct Door {
  Door() = default;
  explicit Door(std::uint16_t workers) : world{{.workers = workers, .authenticator = &keeper}} {}
  Doorkeeper keeper;
  World world{{.workers = 1, .authenticator = &keeper}};
};

TEST(PlainAuthentication, SeesNameAndPassword) {
  Door door;
  Client good = joined(door.world, "good", {.user_name = "ann", .password = "secret"});
  EXPECT_EQ(good.connack_code, ReasonCode::kSuccess);
  EXPECT_THAT(door.keeper.seen, ElementsAre("good/ann/secret/"));
}

TEST(PlainAuthentication, RefusesInTheWordsOfEachVersion) {
  Door door;
  Client v5 = joined(door.world, "v5", {.user_name = "ann", .password = "guess"});
  EXPECT_EQ(v5.connack_code, ReasonCode::kBadUserNameOrPassword);
  Client v3 = joined(door.world, "v3", {.version = Version::k311, .user_name = "ann", .password = "guess"});
  EXPECT_EQ(static_cast<int>(*v3.connack_code), 4);
  EXPECT_TRUE(v5.is_closed());
  EXPECT_TRUE(v3.is_closed());
  EXPECT_EQ(door.world.counters().sessions, 0);
  EXPECT_EQ(door.world.counters().connections_refused, 2U);
}

TEST(PlainAuthentication, NothingBehindARefusedConnectIsProcessed) {
  Door door;
  Client watcher = joined(door.world, "watcher");
  watcher.subscribe("#");
  watcher.run();
  Client bad{door.world, "bad"};
  bad.connect({.user_name = "ann", .password = "guess"});
  bad.publish("a", "sneaked in");
  run_all({&bad, &watcher});
  EXPECT_THAT(watcher.received, IsEmpty());  // [MQTT-3.1.4-6]
}

TEST(PlainAuthentication, MayChangeTheClientIdAndWithItTheHome) {
  for (std::uint16_t worker = 0; worker < 3; ++worker) {
    Door door{3};
    Client client =
        joined(door.world, "own",
               {.session_expiry_s = 100, .user_name = "renamed", .password = "secret", .worker = worker});
    EXPECT_EQ(client.connack_code, ReasonCode::kSuccess);
    EXPECT_EQ(client.assigned_client_id, "certificate-id");
    Client again = joined(door.world, "certificate-id", {.clean_start = false});
    EXPECT_TRUE(again.session_present);
    client.poll();
    EXPECT_EQ(client.disconnect_code, ReasonCode::kSessionTakenOver);
  }
}

TEST(SlowAuthentication, ReadsNothingUntilTheAnswer) {
  Door door{2};
  World& world = door.world;
  door.keeper.is_slow = true;
  const std::string id = id_at(world, 1);
  Client client{world, id};
  client.connect({.worker = 0});
  client.subscribe("a");
  world.settle();
  client.ping();
  world.settle();
  client.poll();
  EXPECT_THAT(client.log, IsEmpty());
  EXPECT_EQ(world.counters().sessions, 0);
  door.keeper.answer(world, 0);
  client.run();
  EXPECT_THAT(client.log, ElementsAre(PacketType::kConnack, PacketType::kSuback, PacketType::kPingresp));
}

TEST(SlowAuthentication, APeerThatHangsUpCancelsIt) {
  Door door;
  door.keeper.is_slow = true;
  Client client{door.world, "client"};
  client.connect();
  door.world.settle();
  EXPECT_THAT(door.keeper.waiting, SizeIs(1));
  client.drop_link();
  door.world.settle();
  EXPECT_THAT(door.keeper.waiting, IsEmpty());
  EXPECT_EQ(door.world.counters().connections, 0);
  EXPECT_EQ(door.world.counters().sessions, 0);
  EXPECT_EQ(door.world.counters().stranger_bytes, 0);
}

TEST(SlowAuthentication, TakesOverOnlyAfterSuccess) {
  Door door;
  Client first = joined(door.world, "client");
  door.keeper.is_slow = true;
  Client intruder{door.world, "client"};
  intruder.connect({.user_name = "ann", .password = "guess"});
  door.world.settle();
  first.ping();
  first.run();
  EXPECT_EQ(first.pings, 1);
  door.keeper.answer(door.world, 0);
  intruder.run();
  first.ping();
  first.run();
  EXPECT_EQ(intruder.connack_code, ReasonCode::kBadUserNameOrPassword);
  EXPECT_EQ(first.pings, 2);
  EXPECT_EQ(door.world.counters().takeovers, 0U);
}

TEST(SlowAuthentication, CountsInTheBudgetOfStrangers) {
  Doorkeeper keeper;
  keeper.is_slow = true;
  World world{{.workers = 1,
               .node = {.strangers_bytes_max = 1000, .sys_interval = Duration{0}},
               .authenticator = &keeper}};
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back(world, "client" + std::to_string(i));
    clients.back().connect({.user_name = std::string(350, 'x'), .password = "secret"});
    world.settle();
  }
  EXPECT_EQ(world.counters().connections, 2);
  EXPECT_GT(world.counters().stranger_bytes, 700);
  keeper.answer(world, 0);
  world.settle();
  EXPECT_EQ(world.counters().clients_connected, 2);
  EXPECT_EQ(world.counters().stranger_bytes, 0);
}

TEST(SlowAuthentication, IsGivenUpAfterAWhile) {
  Door door;
  door.keeper.is_slow = true;
  Client client{door.world, "client"};
  client.connect();
  door.world.advance(Duration::seconds(10));
  EXPECT_EQ(door.world.counters().connections, 1) << "the CONNECT came in time";
  door.world.advance(Duration::seconds(60));
  client.run();
  EXPECT_EQ(client.connack_code, ReasonCode::kServerUnavailable);
  EXPECT_THAT(door.keeper.waiting, IsEmpty());
}

TEST(EnhancedAuthentication, TakesSeveralSteps) {
  for (const bool is_slow : {false, true}) {
    Door door;
    door.keeper.is_slow = is_slow;
    Client client{door.world, "client"};
    const auto answered = [&] {
      door.world.settle();
      door.keeper.answer(door.world, 0);
      client.run();
    };
    client.connect({.auth_method = "steps", .auth_data = "hello"});
    answered();
    EXPECT_THAT(door.keeper.seen, ElementsAre("client///hello"));
    EXPECT_THAT(client.auths, ElementsAre(Pair(ReasonCode::kContinueAuthentication, "question")));
    send_auth(client, ReasonCode::kContinueAuthentication, "steps", "more");
    answered();
    send_auth(client, ReasonCode::kContinueAuthentication, "steps", "right");
    client.subscribe("a");
    answered();
    EXPECT_EQ(client.connack_code, ReasonCode::kSuccess);
    EXPECT_THAT(client.log,
                ElementsAre(PacketType::kAuth, PacketType::kAuth, PacketType::kConnack, PacketType::kSuback));
  }
}

TEST(EnhancedAuthentication, WorksWhenEverythingIsPipelinedAndTheHomeIsElsewhere) {
  Door door{3};
  Client client{door.world, id_at(door.world, 2)};
  client.connect({.auth_method = "steps", .worker = 0});
  send_auth(client, ReasonCode::kContinueAuthentication, "steps", "right");
  client.subscribe("a");
  client.run();
  EXPECT_THAT(client.log, ElementsAre(PacketType::kAuth, PacketType::kConnack, PacketType::kSuback));
  EXPECT_EQ(door.world.counters().migrations, 1U);
}

TEST(EnhancedAuthentication, RefusesAWrongAnswer) {
  Door door;
  Client client = joined(door.world, "client", {.auth_method = "steps"});
  send_auth(client, ReasonCode::kContinueAuthentication, "steps", "wrong");
  client.run();
  EXPECT_EQ(client.connack_code, ReasonCode::kBadUserNameOrPassword);
  EXPECT_TRUE(client.is_closed());
}

TEST(EnhancedAuthentication, UnknownMethodIsRefused) {
  Door door;
  Client client = joined(door.world, "client", {.auth_method = "magic"});
  EXPECT_EQ(client.connack_code, ReasonCode::kBadAuthenticationMethod);
  EXPECT_TRUE(client.is_closed());
}

TEST(EnhancedAuthentication, NothingElseMayComeBeforeConnack) {
  struct Intrusion {
    std::function<void(Client&)> send;
    ReasonCode code;
  };
  const std::vector<Intrusion> intrusions = {
      {[](Client& c) { c.ping(); }, ReasonCode::kProtocolError},
      {[](Client& c) { send_auth(c, ReasonCode::kContinueAuthentication, "other", "x"); },
       ReasonCode::kProtocolError},
      {[](Client& c) { send_auth(c, ReasonCode::kReAuthenticate, "steps", "x"); },
       ReasonCode::kProtocolError},
      {[](Client& c) {
         c.send(as_bytes(std::string_view{"\0\0", 2}));
       },
       ReasonCode::kMalformedPacket}};
  for (const Intrusion& intrusion : intrusions) {
    Door door;
    Client client = joined(door.world, "client", {.auth_method = "steps"});
    intrusion.send(client);
    client.run();
    EXPECT_EQ(client.connack_code, intrusion.code);
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(door.world.counters().connections, 0);
    EXPECT_EQ(door.world.counters().stranger_bytes, 0);
  }
}

TEST(EnhancedAuthentication, TheClientMayGiveUp) {
  Door door;
  Client client = joined(door.world, "client", {.auth_method = "steps"});
  client.disconnect();
  door.world.settle();
  EXPECT_EQ(door.world.counters().connections, 0);
  EXPECT_EQ(door.world.counters().protocol_errors, 0U);
}

TEST(Reauthentication, KeepsTheConnectionWhenItSucceeds) {
  for (const bool is_slow : {false, true}) {
    Door door;
    Client client = joined(door.world, "client", {.auth_method = "steps"});
    send_auth(client, ReasonCode::kContinueAuthentication, "steps", "right");
    client.run();
    ASSERT_EQ(client.connack_code, ReasonCode::kSuccess);
    client.auths.clear();
    door.keeper.is_slow = is_slow;
    send_auth(client, ReasonCode::kReAuthenticate, "steps", "again");
    client.ping();
    client.run();
    EXPECT_EQ(client.pings, 1) << "the connection goes on meanwhile";
    door.keeper.answer(door.world, 0);
    client.run();
    send_auth(client, ReasonCode::kContinueAuthentication, "steps", "right");
    client.run();
    door.keeper.answer(door.world, 0);
    client.run();
    EXPECT_THAT(client.auths, ElementsAre(Pair(ReasonCode::kContinueAuthentication, "question"),
                                          Pair(ReasonCode::kSuccess, "welcome")));
    EXPECT_FALSE(client.is_closed());
  }
}

TEST(Reauthentication, EndsTheConnectionWhenItFails) {
  Door door;
  Client client = joined(door.world, "client", {.auth_method = "steps"});
  send_auth(client, ReasonCode::kContinueAuthentication, "steps", "right");
  send_auth(client, ReasonCode::kReAuthenticate, "steps", "again");
  send_auth(client, ReasonCode::kContinueAuthentication, "steps", "wrong");
  client.run();
  // 0x86 may not stand in a DISCONNECT; 0x87 may.
  EXPECT_EQ(client.disconnect_code, ReasonCode::kNotAuthorized);
  EXPECT_TRUE(client.is_closed());
}

TEST(Reauthentication, IsAProtocolErrorOutOfPlace) {
  const std::vector<std::function<void(Client&)>> mistakes = {
      [](Client& c) {
        send_auth(c, ReasonCode::kContinueAuthentication, "steps", "right");
      },  // continues nothing
      [](Client& c) { send_auth(c, ReasonCode::kReAuthenticate, "other", "right"); },
      [](Client& c) { send_auth(c, ReasonCode::kReAuthenticate, {}, {}); }};
  for (const auto& mistake : mistakes) {
    Door door;
    Client client = joined(door.world, "client", {.auth_method = "steps"});
    send_auth(client, ReasonCode::kContinueAuthentication, "steps", "right");
    client.run();
    mistake(client);
    client.run();
    EXPECT_EQ(client.disconnect_code, ReasonCode::kProtocolError);
  }
}

TEST(Reauthentication, NeedsAMethodInConnect) {
  Door door;
  Client client = joined(door.world, "client");
  send_auth(client, ReasonCode::kReAuthenticate, "steps", "x");
  client.run();
  EXPECT_EQ(client.disconnect_code, ReasonCode::kProtocolError);  // [MQTT-4.12.0-6]
}

TEST(Reauthentication, OneQuestionAtATime) {
  Door door;
  Client client = joined(door.world, "client", {.auth_method = "steps"});
  send_auth(client, ReasonCode::kContinueAuthentication, "steps", "right");
  client.run();
  door.keeper.is_slow = true;
  send_auth(client, ReasonCode::kReAuthenticate, "steps", "again");
  send_auth(client, ReasonCode::kReAuthenticate, "steps", "again");
  client.run();
  EXPECT_EQ(client.disconnect_code, ReasonCode::kProtocolError);
  EXPECT_THAT(door.keeper.waiting, IsEmpty());
}

TEST(Reauthentication, PendingWhileTheShardMovesEndsTheConnection) {
  Door door{2};
  World& world = door.world;
  const std::string id = id_at(world, 0);
  Client client = joined(world, id, {.session_expiry_s = 100, .auth_method = "steps"});
  send_auth(client, ReasonCode::kContinueAuthentication, "steps", "right");
  client.run();
  door.keeper.is_slow = true;
  send_auth(client, ReasonCode::kReAuthenticate, "steps", "again");
  client.run();
  world.move_shard(world.node().shard_of(id), 1);
  client.run();
  EXPECT_EQ(client.disconnect_code, ReasonCode::kServerBusy);
  EXPECT_THAT(door.keeper.waiting, IsEmpty());
  EXPECT_EQ(world.counters().sessions, 1);
  EXPECT_EQ(world.counters().clients_connected, 0);
}

}  // namespace
}  // namespace nightjar::testing
