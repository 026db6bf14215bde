#include "cli/websocket_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "net/websocket_upgrade.h"

namespace nightjar::cli {
namespace {

using net::WebSocketFrameHeader;
using net::WebSocketHeaderState;
using net::WebSocketOpcode;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string field_of(const std::string& head, const std::string& name) {
  const std::size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

// What a broker answers that accepts.
std::string acceptance(const WebSocketClient& client) {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
         "Upgrade\r\nSec-WebSocket-Accept: " +
         net::websocket_accept(field_of(client.request(), "Sec-WebSocket-Key")) +
         "\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
}

std::string frame(WebSocketOpcode opcode, std::string_view payload) {
  ByteBuffer out;
  net::write_websocket_header(out, opcode, payload.size());
  out.append(payload);
  return std::string(as_text(out.view()));
}

// A client and what came of what it was given.
struct Talk {
  // Gives the client bytes as they come from a socket, so many at a time. What is MQTT in them goes to
  // `plain`.
  bool give(std::string bytes, std::size_t piece = SIZE_MAX) {
    for (std::size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
      std::string part = bytes.substr(at, piece);
      const auto count = client.receive({reinterpret_cast<std::byte*>(part.data()), part.size()}, answers);
      if (!count) {
        problem = count.error().message;
        return false;
      }
      plain += part.substr(0, *count);
    }
    return true;
  }
  void open() { ASSERT_TRUE(give(acceptance(client))) << problem; }

  // The frames in what the client sent, unmasked.
  struct Sent {
    WebSocketOpcode opcode;
    std::string payload;
    std::uint32_t mask;
  };
  static std::vector<Sent> frames_in(const ByteBuffer& sent) {
    std::vector<Sent> found;
    for (ByteView rest = sent.view(); !rest.empty();) {
      WebSocketFrameHeader header;
      if (net::read_websocket_header(rest, header) != WebSocketHeaderState::kComplete) {
        ADD_FAILURE() << "no whole frame";
        break;
      }
      EXPECT_TRUE(header.is_masked) << "section 5.1: a client masks every frame";
      EXPECT_TRUE(header.is_final);
      std::string payload(header.payload_bytes, '\0');
      net::copy_masked(reinterpret_cast<std::byte*>(payload.data()),
                       rest.subspan(header.bytes, header.payload_bytes), header.mask);
      found.push_back({header.opcode, payload, header.mask});
      rest = rest.subspan(header.bytes + header.payload_bytes);
    }
    return found;
  }

  WebSocketClient client{"plant.example:8080", "mqtt"};
  ByteBuffer answers;
  std::string plain;
  std::string problem;
};

// ---- the handshake ----

TEST(WebSocketClient, ABrokerAcceptsItsRequest) {
  Talk one;
  const net::WebSocketAnswer answer = net::answer_websocket_upgrade(one.client.request(), {});
  EXPECT_TRUE(answer.is_accepted) << answer.text;
  EXPECT_THAT(one.client.request(), HasSubstr("\r\nHost: plant.example:8080\r\n"));
  EXPECT_THAT(answer.text, HasSubstr("Sec-WebSocket-Protocol: mqtt\r\n"));
  ASSERT_TRUE(one.give(answer.text)) << one.problem;
  EXPECT_TRUE(one.client.is_open());
  const WebSocketClient old{"b", "mqttv3.1"};
  EXPECT_THAT(net::answer_websocket_upgrade(old.request(), {}).text, HasSubstr("Protocol: mqttv3.1\r\n"));
}

TEST(WebSocketClient, EveryRequestHasAKeyOfItsOwn) {
  Talk one;
  const WebSocketClient other{"plant.example:8080", "mqtt"};
  EXPECT_NE(field_of(one.client.request(), "Sec-WebSocket-Key"),
            field_of(other.request(), "Sec-WebSocket-Key"));
}

TEST(WebSocketClient, TheAnswerMayComeInAnyPiecesWithPacketsBehindIt) {
  const std::string bytes = frame(WebSocketOpcode::kBinary, "CONNACK");
  for (std::size_t piece = 1; piece < 300; ++piece) {
    Talk one;
    ASSERT_TRUE(one.give(acceptance(one.client) + bytes, piece)) << one.problem;
    EXPECT_TRUE(one.client.is_open());
    EXPECT_EQ(one.plain, "CONNACK") << "in pieces of " << piece;
  }
}

TEST(WebSocketClient, ARefusalIsToldWithItsReason) {
  Talk one;
  EXPECT_FALSE(one.give("HTTP/1.1 403 Forbidden\r\nContent-Length: 20\r\n\r\nnot this origin\nmore\n"));
  EXPECT_EQ(one.problem, "it refused the WebSocket handshake: HTTP/1.1 403 Forbidden: not this origin");
}

TEST(WebSocketClient, AnAnswerToAnotherRequestIsNone) {
  Talk one;
  const WebSocketClient other{"plant.example:8080", "mqtt"};
  EXPECT_FALSE(one.give(acceptance(other)));
  EXPECT_THAT(one.problem, HasSubstr("does not fit the request"));
}

TEST(WebSocketClient, AnAnswerWithoutEndIsGivenUp) {
  Talk one;
  EXPECT_FALSE(one.give("HTTP/1.1 101 Switching Protocols\r\n" + std::string(20'000, 'x'), 1000));
  EXPECT_THAT(one.problem, HasSubstr("does not end"));
}

// ---- frames that come ----

TEST(WebSocketClient, AnyCutAndAnyFramesGiveTheSameStream) {
  const std::string large(70'000, 'y');
  const std::string stream = frame(WebSocketOpcode::kBinary, "one") + frame(WebSocketOpcode::kBinary, "") +
                             frame(WebSocketOpcode::kPing, "are you there?") +
                             frame(WebSocketOpcode::kBinary, std::string(200, 'x')) +
                             frame(WebSocketOpcode::kBinary, large) + frame(WebSocketOpcode::kBinary, "end");
  for (const std::size_t piece : {1U, 2U, 3U, 5U, 7U, 100U, 4096U, 100'000U}) {
    Talk one;
    one.open();
    ASSERT_TRUE(one.give(stream, piece)) << one.problem;
    EXPECT_EQ(one.plain, "one" + std::string(200, 'x') + large + "end") << "in pieces of " << piece;
    EXPECT_THAT(Talk::frames_in(one.answers), SizeIs(1));
  }
}

TEST(WebSocketClient, APacketMayLieInFragmentsWithAPingBetweenThem) {
  Talk one;
  one.open();
  ASSERT_TRUE(one.give(
      std::string("\x02\x03PUB", 5) + frame(WebSocketOpcode::kPing, "") + std::string("\x80\x04LISH", 6), 1));
  EXPECT_EQ(one.plain, "PUBLISH");
  EXPECT_THAT(Talk::frames_in(one.answers), SizeIs(1));
}

TEST(WebSocketClient, PingsAndClosesAreAnsweredWithWhatTheySay) {
  Talk one;
  one.open();
  ASSERT_TRUE(one.give(frame(WebSocketOpcode::kPing, "hello") + frame(WebSocketOpcode::kPong, "unasked") +
                       frame(WebSocketOpcode::kClose, std::string("\x03\xE8", 2))));
  EXPECT_THAT(one.plain, IsEmpty());
  const auto sent = Talk::frames_in(one.answers);
  ASSERT_THAT(sent, SizeIs(2)) << "a pong is not answered";
  EXPECT_EQ(sent[0].opcode, WebSocketOpcode::kPong);
  EXPECT_EQ(sent[0].payload, "hello");
  EXPECT_EQ(sent[1].opcode, WebSocketOpcode::kClose);
  EXPECT_EQ(sent[1].payload, std::string("\x03\xE8", 2));
}

TEST(WebSocketClient, WhatABrokerMayNotSendEndsTheConnection) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {std::string("\x82\x81\0\0\0\0x", 7), "malformed"},  // masked
      {std::string("\xC2\x01x", 3), "malformed"},          // a reserved bit
      {frame(WebSocketOpcode::kText, "CONNACK"), "MQTT-6.0.0-1"},
  };
  for (const auto& [bytes, expected] : wrong) {
    Talk one;
    one.open();
    EXPECT_FALSE(one.give(bytes));
    EXPECT_THAT(one.problem, HasSubstr(expected));
  }
}

// ---- frames that go ----

TEST(WebSocketClient, PacketsOfAnySizeGoInOneMaskedFrame) {
  Talk one;
  std::vector<std::uint32_t> masks;
  for (const std::size_t size : {0U, 1U, 3U, 125U, 126U, 65'535U, 65'536U, 300'000U}) {
    const std::string packets(size, 'p');
    ByteBuffer out;
    one.client.send(as_bytes(packets), out);
    const auto sent = Talk::frames_in(out);
    ASSERT_THAT(sent, SizeIs(1)) << size;
    EXPECT_EQ(sent[0].opcode, WebSocketOpcode::kBinary);
    EXPECT_EQ(sent[0].payload, packets) << size;
    EXPECT_EQ(std::count(masks.begin(), masks.end(), sent[0].mask), 0)
        << "section 5.3: a new mask for each frame";
    masks.push_back(sent[0].mask);
  }
}

}  // namespace
}  // namespace nightjar::cli
