#include "net/tls_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/sslerr.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "base/log.h"
#include "net/tls_certificate.h"
#include "net/tls_test_client_test.h"
#include "net/turn_budget.h"

namespace nightjar::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string>& lines() {
  static std::vector<std::string> lines;
  return lines;
}

// A budget, and what is taken of it.
struct Strangers {
  StrangerBudget budget(std::int64_t hello_bytes_max, std::int64_t handshake_bytes_max) {
    return {.held = &held,
            .total = &total,
            .hello_bytes_max = hello_bytes_max,
            .handshake_bytes_max = handshake_bytes_max};
  }

  StrangerBytes held;
  std::atomic<std::int64_t> total{0};
};

struct TlsFilterTest : testing::Test {
  TlsFilterTest() {
    lines().clear();
    log::set_sink([](log::Level, std::string_view message, std::span<const log::Field>) {
      lines().emplace_back(message);
    });
  }
  ~TlsFilterTest() override { log::set_sink(nullptr); }

  static const test_support::TestCertificates& files() {
    static const test_support::TestCertificates kMade;
    return kMade;
  }
  static TlsSettings settings() {
    return {.listener = "secure", .certificates = {{files().path("server.pem"), files().path("server.key")}}};
  }
  static TlsSettings settings_for_clients(TlsClientCertificate demand) {
    TlsSettings asked = settings();
    asked.client_certificate = demand;
    asked.client_ca = files().path("ca.pem");
    return asked;
  }
  static std::shared_ptr<TlsContext> open(TlsSettings asked, StrangerBudget budget = {}) {
    auto context = TlsContext::open(std::move(asked), budget);
    if (!context) ADD_FAILURE() << context.error().message;
    return context ? *context : nullptr;
  }
  static std::unique_ptr<TlsPair> pair(const std::shared_ptr<TlsContext>& context,
                                       TestClientOptions options = {}) {
    auto made = std::make_unique<TlsPair>(files(), context, std::move(options));
    made->run();
    return made;
  }
};

// ---- streams ----

TEST_F(TlsFilterTest, BothDirectionsAreEncrypted) {
  const auto made = pair(open(settings()));
  ASSERT_TRUE(made->client.is_open());
  made->client.say("CONNECT");
  const std::string wire = made->client.output();
  EXPECT_THAT(wire, testing::Not(HasSubstr("CONNECT")));
  made->give(wire);
  EXPECT_EQ(made->plain, "CONNECT");
  made->filter->send(as_bytes("CONNACK"));
  made->run();
  EXPECT_EQ(made->client.received, "CONNACK");
}

TEST_F(TlsFilterTest, AnyCutGivesTheSameStream) {
  const auto context = open(settings());
  const std::string text(40'000, 'x');
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::size_t piece : {1U, 2U, 5U, 7U, 100U, 16'384U}) {
      TlsPair made(files(), context, {.version = version});
      made.run(piece);
      ASSERT_TRUE(made.client.is_open()) << piece;
      made.client.say(text);
      made.run(piece);
      EXPECT_EQ(made.plain, text) << "pieces of " << piece;
    }
  }
}

TEST_F(TlsFilterTest, EveryPlaceToCutTheHelloWorks) {
  const auto context = open(settings());
  const std::size_t size = TlsPair(files(), context).client.output().size();
  for (std::size_t at = 1; at < size; ++at) {
    TlsPair made(files(), context);
    const std::string hello = made.client.output();
    made.give(std::string_view(hello).substr(0, at));
    ASSERT_THAT(made.take_wire(), IsEmpty()) << "nothing is answered to a part";
    made.give(std::string_view(hello).substr(at));
    made.client.input(made.take_wire());
    ASSERT_TRUE(made.run().client.is_open()) << "cut at " << at;
  }
}

TEST_F(TlsFilterTest, LargeOutputIsFullRecords) {
  const auto made = pair(open(settings()));
  const std::string text(100'000, 'y');
  made->filter->send(as_bytes(text));
  EXPECT_LT(made->filter->wire().size(), text.size() + 7 * 64);
  made->run();
  EXPECT_EQ(made->client.received, text);
}

TEST_F(TlsFilterTest, NothingIsHeldBetweenMessages) {
  const auto made = pair(open(settings()));
  made->client.say(std::string(50'000, 'z'));
  made->run();
  EXPECT_EQ(made->plain.size(), 50'000u);
  EXPECT_FALSE(made->filter->has_plain());
}

TEST_F(TlsFilterTest, BytesThatWerePausedStay) {
  const auto made = pair(open(settings()));
  made->client.say("first");
  ASSERT_TRUE(made->filter->receive(as_bytes(made->client.output())));
  // The core paused: another connection of this worker goes on meanwhile.
  const auto other = pair(open(settings()));
  other->client.say("other");
  other->run();
  EXPECT_EQ(other->plain, "other");
  made->client.say(" second");
  made->run();
  EXPECT_EQ(made->plain, "first second");
}

// ---- the end ----

TEST_F(TlsFilterTest, TheClientsCloseNotifyIsTheEndAndIsAnswered) {
  const auto made = pair(open(settings()));
  made->client.say("DISCONNECT");
  made->client.close_notify();
  made->run();
  EXPECT_EQ(made->plain, "DISCONNECT") << "what came before it counts";
  EXPECT_FALSE(made->holds);
  EXPECT_FALSE(made->client.was_closed());
  made->filter->send(as_bytes("last words"));
  made->filter->finish();
  made->client.input(made->take_wire());
  EXPECT_EQ(made->client.received, "last words");
  EXPECT_TRUE(made->client.was_closed());
}

TEST_F(TlsFilterTest, FinishSaysCloseNotify) {
  const auto made = pair(open(settings()));
  made->filter->send(as_bytes("bye"));
  made->filter->finish();
  made->client.input(made->take_wire());
  EXPECT_EQ(made->client.received, "bye");
  EXPECT_TRUE(made->client.was_closed());
}

TEST_F(TlsFilterTest, ADamagedRecordBreaksTheStreamWithAnAlert) {
  const auto made = pair(open(settings()));
  made->client.say("hello");
  std::string wire = made->client.output();
  wire.back() = static_cast<char>(wire.back() ^ 1);
  EXPECT_FALSE(made->give(wire));
  EXPECT_EQ(made->plain, "");
  made->client.input(made->take_wire());
  EXPECT_EQ(made->client.reason, SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
  EXPECT_FALSE(made->filter->receive(as_bytes("more")));
}

// ---- strangers ----

TEST_F(TlsFilterTest, PlainMqttGetsOneLine) {
  TlsPair made(files(), open(settings()));
  EXPECT_FALSE(made.give(std::string("\x10\x0c\x00\x04MQTT", 8)));
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("speaks MQTT without TLS on this TLS port; let it use TLS")));
}

TEST_F(TlsFilterTest, PlainHttpGetsOneLineAndAnAnswer) {
  TlsPair made(files(), open(settings()));
  made.give("GE");
  EXPECT_THAT(lines(), IsEmpty());
  EXPECT_FALSE(made.give("T / HTTP/1.1\r\n"));
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("speaks plain HTTP")));
  EXPECT_THAT(made.take_wire(), HasSubstr("This port speaks TLS"));
}

TEST_F(TlsFilterTest, GarbageIsTurnedAway) {
  const std::string_view inputs[] = {"\xff\xff\xff\xff",
                                     "hello",
                                     {"\x16\x03\x01\x00\x00", 5},                  // an empty record
                                     {"\x16\x03\x01\x40\x01\x01", 6},              // a record above 16 KiB
                                     {"\x16\x03\x01\x00\x04\x02\x00", 7},          // no ClientHello
                                     {"\x16\x03\x01\x00\x04\x01\x01\x00\x00", 9},  // of 64 KiB
                                     {"\x16\x02\x01", 3},
                                     {"\x80\x2e\x01\x00\x02", 5}};
  for (const std::string_view input : inputs) {
    for (const std::size_t piece : {std::size_t{1}, SIZE_MAX}) {
      TlsPair made(files(), open(settings()));
      EXPECT_FALSE(made.give(input, piece)) << input;
      EXPECT_FALSE(made.filter->has_plain());
    }
  }
}

TEST_F(TlsFilterTest, AHelloSpreadOverRecordsIsOne) {
  const auto context = open(settings());
  TlsPair made(files(), context);
  const std::string hello = made.client.output();
  std::string spread;
  for (std::size_t at = 5; at < hello.size(); at += 40) {
    const std::string part = hello.substr(at, 40);
    spread += std::string("\x16\x03\x01\x00", 4) + static_cast<char>(part.size()) + part;
  }
  made.give(spread, 33);
  made.client.input(made.take_wire());
  EXPECT_TRUE(made.run().client.is_open());
}

TEST_F(TlsFilterTest, AHelloWithoutAnEndCostsABoundedAmount) {
  Strangers strangers;
  TlsPair made(files(), open(settings(), strangers.budget(1 << 20, 1 << 20)));
  const std::string record = std::string("\x16\x03\x01\x00\x01", 5) + "\x01";
  made.give(record);
  for (int i = 0; i < 100'000 && made.holds; ++i) made.give(std::string("\x16\x03\x01\x00\x01\x00", 6));
  EXPECT_FALSE(made.holds);
  EXPECT_LE(strangers.total.load(), 64 * 1024);
}

TEST_F(TlsFilterTest, StrangersAreCountedUntilTheirFirstBytes) {
  Strangers strangers;
  const auto context = open(settings(), strangers.budget(1 << 20, 1 << 20));
  {
    TlsPair made(files(), context);
    const std::string hello = made.client.output();
    made.give(std::string_view(hello).substr(0, 100));
    EXPECT_GE(strangers.held.hellos.load(), 100);
    EXPECT_LE(strangers.held.hellos.load(), 1024);
    EXPECT_EQ(strangers.held.hellos.load(), strangers.total.load());
    made.give(std::string_view(hello).substr(100));
    EXPECT_EQ(strangers.held.hellos.load(), 0);
    EXPECT_EQ(strangers.held.handshakes.load(), 48 * 1024);
    EXPECT_EQ(strangers.total.load(), 48 * 1024);
    made.client.input(made.take_wire());
    made.run();
    EXPECT_EQ(strangers.total.load(), 16 * 1024);
    made.client.say("CONNECT");
    made.run();
    EXPECT_EQ(strangers.total.load(), 0);
  }
  EXPECT_EQ(strangers.held.handshakes.load(), 0);
}

TEST_F(TlsFilterTest, HandshakesAboveTheBudgetWaitUntilOthersAreDone) {
  Strangers strangers;
  const auto context = open(settings(), strangers.budget(1024, 120 * 1024));
  TlsPair first(files(), context);
  TlsPair second(files(), context);
  TlsPair third(files(), context);
  EXPECT_TRUE(first.give(first.client.output()));
  EXPECT_TRUE(second.give(second.client.output()));
  EXPECT_TRUE(third.give(third.client.output()));
  EXPECT_TRUE(third.filter->has_put_off());
  EXPECT_THAT(third.take_wire(), IsEmpty()) << "no handshake has begun";
  EXPECT_EQ(strangers.held.handshakes.load(), 2 * 48 * 1024);
  second.client.input(second.take_wire());
  EXPECT_TRUE(second.run().client.is_open());
  TurnBudget::renew();
  EXPECT_TRUE(third.filter->receive({}));
  EXPECT_FALSE(third.filter->has_put_off());
  third.client.input(third.take_wire());
  EXPECT_TRUE(third.run().client.is_open());
  EXPECT_THAT(lines(), IsEmpty());
}

TEST_F(TlsFilterTest, HellosAboveTheBudgetAreTurnedAway) {
  Strangers strangers;
  const auto context = open(settings(), strangers.budget(400, 1 << 20));
  TlsPair first(files(), context);
  TlsPair second(files(), context);
  TlsPair third(files(), context);
  EXPECT_TRUE(first.give(first.client.output().substr(0, 200)));
  EXPECT_FALSE(second.give(second.client.output().substr(0, 200)));
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("too many connections that have not finished CONNECT")));
  EXPECT_TRUE(third.give(third.client.output())) << "a whole one needs not wait";
  EXPECT_FALSE(third.filter->has_put_off());
  first.filter.reset();
  EXPECT_EQ(strangers.held.hellos.load(), 0);
}

TEST_F(TlsFilterTest, AHandshakeWaitsForTheNextTurnWhenTheTimeOfThisOneIsUsedUp) {
  const auto context = open(settings());
  TlsPair made(files(), context);
  const std::string hello = made.client.output();
  TurnBudget::renew();
  while (!TurnBudget::is_spent()) {
    TlsPair other(files(), context);
    EXPECT_TRUE(other.filter->receive(as_bytes(other.client.output())));
  }
  EXPECT_TRUE(made.filter->receive(as_bytes(hello)));
  EXPECT_TRUE(made.filter->has_put_off());
  EXPECT_THAT(made.take_wire(), IsEmpty());
  TurnBudget::renew();
  EXPECT_TRUE(made.filter->receive({}));
  EXPECT_FALSE(made.filter->has_put_off());
  made.client.input(made.take_wire());
  EXPECT_TRUE(made.run().client.is_open());
}

// ---- versions, suites, protocols, names ----

TEST_F(TlsFilterTest, OldVersionsAreRefusedWithAnAlert) {
  TlsSettings asked = settings();
  asked.min_version = TlsProtocolVersion::kTls13;
  const auto made = pair(open(asked), {.version = TLS1_2_VERSION});
  EXPECT_FALSE(made->client.is_open());
  EXPECT_EQ(made->client.reason, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("see min_version")));
}

TEST_F(TlsFilterTest, AControllersSuitesNeedItsProfile) {
  TlsSettings asked = settings();
  const net::PemPair rsa = files().issue(
      {.common_name = "localhost", .names = {"localhost"}, .is_server = true, .key_kind = KeyKind::kRsa2048});
  files().write("rsa", rsa);
  asked.certificates = {{files().path("rsa.pem"), files().path("rsa.key")}};
  const TestClientOptions controller{.server_name = "", .ciphers = "AES128-SHA", .version = TLS1_2_VERSION};
  EXPECT_FALSE(pair(open(asked), controller)->client.is_open());
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("profile = \"plc\"")));
  asked.serves_controllers = true;
  EXPECT_TRUE(pair(open(asked), controller)->client.is_open());
}

// The longest record that a server sends for `text`.
std::size_t longest_record(TlsPair& made, const std::string& text) {
  made.filter->send(as_bytes(text));
  const std::string wire = made.take_wire();
  std::size_t longest = 0;
  for (std::size_t at = 0; at + 5 <= wire.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(wire[at + i]); };
    const std::size_t size = 5U + byte(3) * 256U + byte(4);
    longest = std::max(longest, size);
    at += size;
  }
  return longest;
}

TEST_F(TlsFilterTest, AControllerGetsSmallRecords) {
  const std::string text(20'000, 'x');
  TlsSettings asked = settings();
  EXPECT_GT(longest_record(*pair(open(asked)), text), 16'000u);
  asked.serves_controllers = true;
  const auto made = pair(open(asked), {.version = TLS1_2_VERSION});
  const std::size_t longest = longest_record(*made, text);
  EXPECT_GT(longest, 4000u);
  EXPECT_LT(longest, 4096u + 256u);
}

TEST_F(TlsFilterTest, AlpnIsMqttOrAbsent) {
  const auto context = open(settings());
  const auto made = pair(context, {.alpn = "mqtt"});
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(made->client.ssl(), &name, &size);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(name), size), "mqtt");
  EXPECT_TRUE(pair(context)->client.is_open());
  const auto other = pair(context, {.alpn = "http/1.1"});
  EXPECT_EQ(other->client.reason, SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("speaks only http/1.1 (ALPN)")));
  TlsSettings websocket = settings();
  websocket.speaks_websocket = true;
  EXPECT_TRUE(pair(open(websocket), {.alpn = "http/1.1"})->client.is_open());
}

TEST_F(TlsFilterTest, TheNameChoosesTheCertificate) {
  TlsSettings asked = settings();
  asked.certificates.push_back({files().path("other.pem"), files().path("other.key")});
  const auto context = open(asked);
  const auto name_for = [&](const std::string& server_name) {
    const auto made = pair(context, {.server_name = server_name});
    return common_name(SSL_get0_peer_certificate(made->client.ssl()));
  };
  EXPECT_EQ(name_for("localhost"), "localhost");
  EXPECT_EQ(name_for("other.example"), "other");
  EXPECT_EQ(name_for("unknown.example"), "localhost");
  EXPECT_EQ(name_for(""), "localhost");
}

// ---- sessions ----

TEST_F(TlsFilterTest, ATicketResumesTheSession) {
  const auto context = open(settings());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto first = pair(context, {.version = version});
    ASSERT_NE(first->client.session(), nullptr);
    const auto second = pair(context, {.version = version, .session = first->client.session()});
    EXPECT_TRUE(second->client.is_resumed());
  }
}

TEST_F(TlsFilterTest, AResumedSessionProvesTheSameCertificate) {
  const auto context = open(settings_for_clients(TlsClientCertificate::kRequired));
  const auto first = pair(context, {.certificate = "client"});
  ASSERT_NE(first->client.session(), nullptr);
  const auto second = pair(context, {.session = first->client.session()});
  EXPECT_TRUE(second->client.is_resumed());
  ASSERT_NE(second->filter->proof(), nullptr);
  EXPECT_EQ(second->filter->proof()->common_name, "pump 7");
}

TEST_F(TlsFilterTest, AReloadEndsTicketsButNotConnections) {
  const auto context = open(settings());
  const auto first = pair(context);
  ASSERT_TRUE(context->reload().has_value());
  const auto second = pair(context, {.session = first->client.session()});
  EXPECT_TRUE(second->client.is_open());
  EXPECT_FALSE(second->client.is_resumed());
  first->client.say("still here");
  first->run();
  EXPECT_EQ(first->plain, "still here");
}

// ---- proof ----

TEST_F(TlsFilterTest, WithoutACertificateNothingIsProven) {
  EXPECT_EQ(pair(open(settings()))->filter->proof(), nullptr);
  const auto context = open(settings_for_clients(TlsClientCertificate::kOptional));
  const auto made = pair(context);
  EXPECT_TRUE(made->client.is_open());
  EXPECT_EQ(made->filter->proof(), nullptr);
}

TEST_F(TlsFilterTest, AClientsCertificateIsItsProof) {
  const auto made =
      pair(open(settings_for_clients(TlsClientCertificate::kOptional)), {.certificate = "client"});
  const broker::PeerProof* const proof = made->filter->proof();
  ASSERT_NE(proof, nullptr);
  EXPECT_TRUE(proof->has_certificate);
  EXPECT_EQ(proof->common_name, "pump 7");
  EXPECT_EQ(proof->subject, "CN=pump 7");
  EXPECT_THAT(proof->dns_names, ElementsAre("pump7.example"));
  EXPECT_EQ(proof->number.issuer, "CN=Test CA");
  EXPECT_THAT(proof->authorities, IsEmpty());
  EXPECT_EQ(proof->fingerprint.size(), 64u);
  EXPECT_EQ(proof->fingerprint, fingerprint(read_certificates(files().path("client.pem")).value()[0].get()));
}

TEST_F(TlsFilterTest, ARequiredCertificateIsRequired) {
  const auto context = open(settings_for_clients(TlsClientCertificate::kRequired));
  const auto made = pair(context, {.version = TLS1_3_VERSION});
  EXPECT_FALSE(made->holds);
  EXPECT_EQ(made->client.reason, SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED);
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("shows no certificate")));
  EXPECT_TRUE(pair(context, {.certificate = "client"})->holds);
}

TEST_F(TlsFilterTest, ACertificateOfAnotherAuthorityIsRefused) {
  const PemPair stranger = make_authority("Strange CA", 1000).value();
  files().write("stranger",
                issue(stranger, {.common_name = "x", .valid_from_s = -60, .valid_until_s = 600}).value());
  const auto made =
      pair(open(settings_for_clients(TlsClientCertificate::kOptional)), {.certificate = "stranger"});
  EXPECT_FALSE(made->holds);
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("a client's certificate is refused")));
}

TEST_F(TlsFilterTest, AnExpiredCertificateCountsOnlyIfDatesAreIgnored) {
  files().write("late", files().issue({.common_name = "late", .valid_from_s = -100, .valid_until_s = -50}));
  TlsSettings asked = settings_for_clients(TlsClientCertificate::kRequired);
  EXPECT_FALSE(pair(open(asked), {.certificate = "late"})->holds);
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("certificate has expired")));
  asked.ignores_client_dates = true;
  EXPECT_TRUE(pair(open(asked), {.certificate = "late"})->holds);
}

TEST_F(TlsFilterTest, ARevokedCertificateIsRefused) {
  files().revoke("client");
  TlsSettings asked = settings_for_clients(TlsClientCertificate::kRequired);
  asked.crl = files().path("revoked.crl");
  const auto context = open(asked);
  EXPECT_FALSE(pair(context, {.certificate = "client"})->holds);
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("certificate revoked")));
  const auto other = pair(context, {.certificate = "client2"});
  ASSERT_TRUE(other->holds);
  const auto served = context->current();
  EXPECT_FALSE(served->is_revoked(*other->filter->proof()));
  const auto revoked = proof_of(read_certificates(files().path("client.pem")).value()[0].get());
  EXPECT_TRUE(served->is_revoked(*revoked));
  EXPECT_FALSE(served->is_revoked({.issuer = "CN=Other CA", .serial = revoked->number.serial}));
}

TEST_F(TlsFilterTest, APreSharedKeyIsProof) {
  const auto context = open({.listener = "psk", .psk_file = files().path("keys")});
  const std::string key("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto made = pair(context, {.psk_identity = "device", .psk_key = key, .version = version});
    ASSERT_TRUE(made->holds) << version;
    ASSERT_NE(made->filter->proof(), nullptr);
    EXPECT_EQ(made->filter->proof()->psk_identity, "device");
    EXPECT_FALSE(made->filter->proof()->has_certificate);
    EXPECT_FALSE(
        pair(context, {.psk_identity = "device", .psk_key = "wrong", .version = version})->client.is_open());
    EXPECT_FALSE(
        pair(context, {.psk_identity = "nobody", .psk_key = key, .version = version})->client.is_open());
  }
}

TEST_F(TlsFilterTest, AWrongKeyProvesNothingWhereACertificateOpensTheConnection) {
  TlsSettings asked = settings();
  asked.psk_file = files().path("keys");
  const auto made = pair(open(asked));
  EXPECT_TRUE(made->client.is_open());
  EXPECT_EQ(made->filter->proof(), nullptr);
}

}  // namespace
}  // namespace nightjar::net
