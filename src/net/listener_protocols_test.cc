#include "net/listener_protocols.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/log.h"

namespace nightjar::net {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::vector<std::string>& log_lines() {
  static std::vector<std::string> lines;
  return lines;
}

// Stands in for TLS: behind the two bytes of a handshake record everything has its bits turned over.
class TurnedOver final : public StreamFilter {
 public:
  static std::string turn(std::string text) {
    for (char& c : text) c = static_cast<char>(~c);
    return text;
  }

  bool receive(ByteView wire) override {
    held_ += as_text(wire);
    return true;
  }
  [[nodiscard]] bool has_plain() const override { return held_.size() > skip_; }
  ByteView next_plain() override {
    plain_ = turn(held_.substr(skip_));
    skip_ = 0;
    held_.clear();
    return as_bytes(plain_);
  }
  void send(ByteView plain) override { wire_.append(turn(std::string(as_text(plain)))); }
  void finish() override {}
  ByteBuffer& wire() override { return wire_; }
  [[nodiscard]] const broker::PeerProof* proof() const override { return &proof_; }

 private:
  std::size_t skip_ = 2;
  std::string held_;
  std::string plain_;
  ByteBuffer wire_;
  broker::PeerProof proof_{.common_name = "turned over"};
};

const std::string kConnect{"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01q", 15};
const std::string kUpgrade =
    "GET / HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
// A binary frame whose mask is zero.
std::string frame(std::string_view payload) {
  return std::string{'\x82', static_cast<char>(0x80 | payload.size()), 0, 0, 0, 0} + std::string(payload);
}
const std::string kTlsBegin = "\x16\x03";
std::string tls(const std::string& inside) { return kTlsBegin + TurnedOver::turn(inside); }
const std::string kProxy = "PROXY TCP4 192.0.2.7 198.51.100.1 51234 1883\r\n";

// One connection to a listener.
struct Visit {
  explicit Visit(const FilterFactory& factory, std::string_view from = "127.0.0.1")
      : filter(factory(addresses_of(from, 4711).value().front())) {}

  bool say(std::string_view bytes) {
    is_open = is_open && filter->receive(as_bytes(bytes));
    while (filter->has_plain()) plain += as_text(filter->next_plain());
    wire += as_text(filter->wire().view());
    filter->wire().clear();
    return is_open;
  }

  std::unique_ptr<StreamFilter> filter;
  bool is_open = true;
  std::string plain;
  std::string wire;
};

struct ListenerProtocolsTest : testing::Test {
  ListenerProtocolsTest() {
    log_lines().clear();
    log::set_sink([](log::Level, std::string_view message, std::span<const log::Field>) {
      log_lines().emplace_back(message);
    });
  }
  ~ListenerProtocolsTest() override { log::set_sink(nullptr); }

  static ListenerProtocols with_tls(ListenerProtocols protocols) {
    protocols.tls = [](const PeerAddress&) { return std::make_unique<TurnedOver>(); };
    return protocols;
  }
  static FilterFactory plain() { return make_filter_factory({.name = "plain"}); }
  static FilterFactory websocket() {
    return make_filter_factory({.name = "web", .has_mqtt = false, .websocket = WebSocketRules{}});
  }
  static FilterFactory automatic() {
    return make_filter_factory(with_tls({.name = "auto", .websocket = WebSocketRules{}}));
  }
  static FilterFactory secure() {
    return make_filter_factory(with_tls({.name = "secure", .requires_tls = true}));
  }
  static FilterFactory proxied(ProxyRules rules) {
    return make_filter_factory(
        with_tls({.name = "behind", .websocket = WebSocketRules{}, .proxy = std::move(rules)}));
  }
};

TEST_F(ListenerProtocolsTest, AutoFindsTcpTlsWebSocketAndBothHoweverTheBytesAreSplit) {
  for (const std::string& stream :
       {kConnect, tls(kConnect), kUpgrade + frame(kConnect), tls(kUpgrade + frame(kConnect))}) {
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
      Visit visit{automatic()};
      ASSERT_TRUE(visit.say(stream.substr(0, cut)));
      ASSERT_TRUE(visit.say(stream.substr(cut)));
      ASSERT_EQ(visit.plain, kConnect) << cut;
    }
    Visit slow{automatic()};
    for (const char c : stream) ASSERT_TRUE(slow.say({&c, 1}));
    EXPECT_EQ(slow.plain, kConnect);
  }
  EXPECT_THAT(log_lines(), IsEmpty());
}

TEST_F(ListenerProtocolsTest, OutputTakesTheSameWay) {
  Visit direct{automatic()};
  direct.say(kConnect);
  direct.filter->send(as_bytes("CONNACK"));
  EXPECT_EQ(as_text(direct.filter->wire().view()), "CONNACK");

  Visit secured{automatic()};
  secured.say(tls(kConnect));
  secured.filter->send(as_bytes("CONNACK"));
  EXPECT_EQ(as_text(secured.filter->wire().view()), TurnedOver::turn("CONNACK"));
  ASSERT_NE(secured.filter->proof(), nullptr);
  EXPECT_EQ(secured.filter->proof()->common_name, "turned over");

  Visit web{automatic()};
  web.say(tls(kUpgrade));
  EXPECT_THAT(TurnedOver::turn(web.wire), StartsWith("HTTP/1.1 101 "));
  web.filter->send(as_bytes("CONNACK"));
  EXPECT_EQ(TurnedOver::turn(std::string(as_text(web.filter->wire().view()))),
            "\x82\x07"
            "CONNACK");
}

TEST_F(ListenerProtocolsTest, PlainMqttNeedsNoFilterAnyMore) {
  Visit visit{plain()};
  EXPECT_FALSE(visit.filter->is_transparent());
  visit.say(kConnect);
  EXPECT_EQ(visit.plain, kConnect);
  EXPECT_TRUE(visit.filter->is_transparent());
  EXPECT_EQ(visit.filter->proof(), nullptr);
  EXPECT_EQ(visit.filter->source(), nullptr);
}

TEST_F(ListenerProtocolsTest, WhatNobodyKnowsIsLeftToTheProtocolThatIsExpected) {
  Visit mqtt{plain()};
  EXPECT_TRUE(mqtt.say("\x30nonsense"));
  EXPECT_EQ(mqtt.plain, "\x30nonsense");
  Visit web{websocket()};
  EXPECT_FALSE(web.say("{nonsense"));
  EXPECT_THAT(web.wire, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(log_lines(), IsEmpty());
}

TEST_F(ListenerProtocolsTest, TheWrongProtocolIsClosedAndTheLogSaysWhatToDo) {
  EXPECT_FALSE(Visit{plain()}.say(tls(kConnect)));
  EXPECT_FALSE(Visit{plain()}.say(kUpgrade));
  EXPECT_FALSE(Visit{plain()}.say(kProxy));
  EXPECT_FALSE(Visit{websocket()}.say(kConnect));
  EXPECT_FALSE(Visit{secure()}.say(kConnect));
  EXPECT_FALSE(Visit{secure()}.say(kUpgrade));
  EXPECT_FALSE(Visit{secure()}.say(tls(kUpgrade)));
  EXPECT_THAT(
      log_lines(),
      ElementsAre(AllOf(StartsWith("127.0.0.1:4711 sent a TLS handshake to listener plain"),
                        HasSubstr("[listener.tls]")),
                  AllOf(HasSubstr("an HTTP request"), HasSubstr("protocol = \"websocket\" or \"auto\"")),
                  AllOf(HasSubstr("a PROXY header"), HasSubstr("[listener.proxy]")),
                  AllOf(HasSubstr("plain MQTT to listener web"), HasSubstr("ws://")),
                  AllOf(HasSubstr("plain MQTT to listener secure"), HasSubstr("mqtts://")),
                  AllOf(HasSubstr("an HTTP request"), HasSubstr("wss://")),
                  AllOf(HasSubstr("an HTTP request"), HasSubstr("without WebSocket"))));
}

TEST_F(ListenerProtocolsTest, SuchLinesAreRareButEachKindHasItsOwn) {
  const FilterFactory factory = plain();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(Visit{factory}.say(kUpgrade));
    EXPECT_FALSE(Visit{factory}.say(tls(kConnect)));
  }
  EXPECT_EQ(log_lines().size(), 2u);
}

// ---- behind a proxy ----

TEST_F(ListenerProtocolsTest, ProxiedConnectionsAreToldApartAsWell) {
  for (const std::string& stream :
       {kConnect, tls(kConnect), kUpgrade + frame(kConnect), tls(kUpgrade + frame(kConnect))}) {
    const std::string all = kProxy + stream;
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
      Visit visit{proxied({})};
      ASSERT_TRUE(visit.say(all.substr(0, cut)));
      ASSERT_TRUE(visit.say(all.substr(cut)));
      ASSERT_EQ(visit.plain, kConnect) << cut;
      ASSERT_NE(visit.filter->source(), nullptr);
      EXPECT_EQ(visit.filter->source()->text(), "192.0.2.7:51234");
    }
  }
}

TEST_F(ListenerProtocolsTest, OnlyTrustedProxiesAreHeard) {
  const FilterFactory factory = proxied({.trusted = {Network::parse("10.0.0.0/8").value()}});
  Visit trusted{factory, "10.1.2.3"};
  EXPECT_TRUE(trusted.say(kProxy + kConnect));
  EXPECT_EQ(trusted.plain, kConnect);
  Visit stranger{factory, "192.0.2.1"};
  EXPECT_FALSE(stranger.say(kProxy + kConnect));
  EXPECT_EQ(stranger.plain, "");
  EXPECT_EQ(stranger.filter->source(), nullptr);
  EXPECT_THAT(log_lines(),
              ElementsAre(AllOf(StartsWith("192.0.2.1:4711 "), HasSubstr("trusted in [listener.proxy]"))));
}

TEST_F(ListenerProtocolsTest, AProxyAnswersForTheCertificateOfItsClient) {
  // Version 2, TCP over IPv4, with the TLV of TLS: the flags, what the verification said, the common name.
  const auto header = [](char flags, char verified) {
    const std::string name("\x22\x00\x04pump", 7);
    const std::string tls = std::string("\x20\x00\x0c", 3) + flags + std::string(3, '\0') + verified + name;
    const std::string addresses("\xc0\x00\x02\x07\xc0\x00\x02\x01\xc8\x22\x07\x5b", 12);
    const std::string body = addresses + tls;
    return std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0", 15) + static_cast<char>(body.size()) + body;
  };
  constexpr char kTls = 1;
  constexpr char kTlsAndCertificate = 7;
  const FilterFactory factory = proxied({.requires_certificate = true});
  Visit shown{factory};
  EXPECT_TRUE(shown.say(header(kTlsAndCertificate, 0) + kConnect));
  EXPECT_EQ(shown.plain, kConnect);
  EXPECT_FALSE(Visit{factory}.say(header(kTls, 0) + kConnect));
  EXPECT_FALSE(Visit{factory}.say(header(kTlsAndCertificate, 1) + kConnect)) << "not in order";
  EXPECT_FALSE(Visit{factory}.say(kProxy + kConnect)) << "version 1 knows of no certificate";
}

TEST_F(ListenerProtocolsTest, WithoutAHeaderAProxysConnectionIsClosed) {
  Visit visit{proxied({})};
  EXPECT_FALSE(visit.say(kConnect));
  EXPECT_THAT(log_lines(), ElementsAre(AllOf(HasSubstr("no valid PROXY header"), HasSubstr("send-proxy"))));
}

TEST_F(ListenerProtocolsTest, TlsToTheProxyMayBeAskedFor) {
  const FilterFactory factory = proxied({.requires_tls = true});
  EXPECT_FALSE(Visit{factory}.say(kProxy + kConnect)) << "version 1 cannot say it";
  const std::string begin{"\r\n\r\n\0\r\nQUIT\n", 12};
  const std::string addresses{"\xC0\x00\x02\x07\xC6\x33\x64\x01\xC8\x22\x07\x5B", 12};
  const std::string secured{"\x20\x00\x0c\x07\x00\x00\x00\x00\x22\x00\x04pump", 15};
  Visit visit{factory};
  EXPECT_TRUE(visit.say(begin + std::string("\x21\x11\x00\x1b", 4) + addresses + secured + kConnect));
  EXPECT_EQ(visit.plain, kConnect);
  ASSERT_NE(visit.filter->proof(), nullptr);
  EXPECT_TRUE(visit.filter->proof()->has_certificate);
  EXPECT_EQ(visit.filter->proof()->common_name, "pump");
  Visit local{factory};
  EXPECT_TRUE(local.say(begin + std::string("\x20\x00\x00\x00", 4) + kConnect)) << "a health check";
  EXPECT_EQ(local.plain, kConnect);
  EXPECT_EQ(local.filter->source(), nullptr);
}

}  // namespace
}  // namespace nightjar::net
