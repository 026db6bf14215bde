#include "net/websocket_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "mqtt/varint.h"

namespace nightjar::net {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kHandshake =
    "GET / HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
constexpr int kFin = 0x80;

// A frame as a client sends it.
std::string frame(int first_byte, std::string_view payload) {
  ByteBuffer out;
  const std::uint32_t mask = 0x5A17C0DE;
  write_masked_websocket_header(out, WebSocketOpcode::kBinary, payload.size(), mask);
  copy_masked(out.prepare(payload.size()), as_bytes(payload), mask);
  out.commit(payload.size());
  std::string text{as_text(out.view())};
  text[0] = static_cast<char>(first_byte);
  return text;
}
std::string binary(std::string_view payload) { return frame(kFin | 0x2, payload); }
std::string start(std::string_view payload) { return frame(0x2, payload); }
std::string more(std::string_view payload) { return frame(0x0, payload); }
std::string last(std::string_view payload) { return frame(kFin | 0x0, payload); }
std::string ping(std::string_view payload) { return frame(kFin | 0x9, payload); }
std::string close(unsigned code, std::string_view reason = "") {
  return frame(kFin | 0x8,
               std::string{static_cast<char>(code >> 8), static_cast<char>(code)} + std::string(reason));
}

// A frame as the server sends it.
std::string answered(int first_byte, std::string_view payload) {
  return std::string{static_cast<char>(first_byte), static_cast<char>(payload.size())} + std::string(payload);
}
std::string closed_with(unsigned code) {
  return answered(kFin | 0x8, std::string{static_cast<char>(code >> 8), static_cast<char>(code)});
}

// One connection, and what came out of it.
struct Talk {
  explicit Talk(WebSocketRules rules = {})
      : filter(std::make_shared<const WebSocketRules>(std::move(rules))) {}

  // False: the stream is over.
  bool say(std::string_view bytes) {
    is_open = is_open && filter.receive(as_bytes(bytes));
    while (filter.has_plain()) plain += as_text(filter.next_plain());
    wire += as_text(filter.wire().view());
    filter.wire().clear();
    return is_open;
  }
  void open() {
    ASSERT_TRUE(say(kHandshake));
    ASSERT_THAT(wire, StartsWith("HTTP/1.1 101 "));
    wire.clear();
  }

  WebSocketFilter filter;
  bool is_open = true;
  std::string plain;
  std::string wire;
};

struct WebSocketFilterTest : testing::Test, Talk {
  void SetUp() override { open(); }
};

// ---- the handshake ----

TEST(WebSocketHandshake, ArrivesByteByByteAndFramesMayFollowAtOnce) {
  const std::string all = std::string(kHandshake) + binary("CONNECT");
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    Talk talk;
    EXPECT_TRUE(talk.say(all.substr(0, cut)));
    EXPECT_TRUE(talk.say(all.substr(cut)));
    EXPECT_THAT(talk.wire, StartsWith("HTTP/1.1 101 "));
    EXPECT_EQ(talk.plain, "CONNECT") << cut;
  }
}

TEST(WebSocketHandshake, ARefusalIsTheLastWord) {
  Talk talk;
  EXPECT_FALSE(talk.say("GET / HTTP/1.1\r\nHost: b\r\n\r\n" + binary("CONNECT")));
  EXPECT_THAT(talk.wire, StartsWith("HTTP/1.1 426 "));
  EXPECT_EQ(talk.plain, "");
  const std::string refused = talk.wire;
  talk.filter.send(as_bytes("never"));
  talk.filter.finish();
  EXPECT_EQ(as_text(talk.filter.wire().view()), "");
}

TEST(WebSocketHandshake, WhatIsNoHttpNeedNotBeWaitedFor) {
  for (const char* garbage : {"\x10", "\x16\x03\x01", "get ", "G\r\n", "{}", "GE\x01"}) {
    Talk talk;
    EXPECT_FALSE(talk.say(garbage)) << garbage;
    EXPECT_THAT(talk.wire, StartsWith("HTTP/1.1 400 ")) << garbage;
  }
}

TEST(WebSocketHandshake, AHeadWithoutEndIsRefusedAtItsLimit) {
  Talk talk{{.head_bytes_max = 2000}};
  std::string head = "GET / HTTP/1.1\r\nX: ";
  head.resize(2000, 'x');
  for (const char c : head) ASSERT_TRUE(talk.say({&c, 1}));
  EXPECT_FALSE(talk.say("x"));
  EXPECT_THAT(talk.wire, StartsWith("HTTP/1.1 431 "));

  Talk at_once{{.head_bytes_max = 2000}};
  EXPECT_FALSE(at_once.say("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"));
  EXPECT_THAT(at_once.wire, StartsWith("HTTP/1.1 431 "));
}

TEST(WebSocketHandshake, NothingIsSaidBeforeIt) {
  Talk talk;
  talk.filter.send(as_bytes("early"));
  talk.filter.finish();
  EXPECT_TRUE(talk.filter.wire().empty());
}

// ---- frames ----

TEST_F(WebSocketFilterTest, FramesOfOneReadAreOneRunOfBytes) {
  EXPECT_TRUE(
      filter.receive(as_bytes(binary("one") + binary("") + binary("two") + start("th") + last("ree"))));
  ASSERT_TRUE(filter.has_plain());
  EXPECT_EQ(as_text(filter.next_plain()), "onetwothree");
  EXPECT_FALSE(filter.has_plain());
}

TEST_F(WebSocketFilterTest, EverySplitGivesTheSameStream) {
  const std::string stream = binary("first") + ping("alive?") + start("sec") + ping("") + more("") +
                             more("on") + last("d") + binary(std::string(300, 'x')) +
                             frame(kFin | 0xA, "unasked pong") + binary(std::string(70'000, 'y')) +
                             close(1000, "bye");
  const std::string plain_expected = "firstsecond" + std::string(300, 'x') + std::string(70'000, 'y');
  const std::string wire_expected =
      answered(kFin | 0xA, "alive?") + answered(kFin | 0xA, "") + closed_with(1000);
  for (std::size_t cut = 0; cut < stream.size(); cut += cut < 600 || cut + 20 > stream.size() ? 1U : 997U) {
    Talk talk;
    talk.open();
    EXPECT_TRUE(talk.say(stream.substr(0, cut)));
    EXPECT_FALSE(talk.say(stream.substr(cut)));
    ASSERT_EQ(talk.plain, plain_expected) << cut;
    ASSERT_EQ(talk.wire, wire_expected) << cut;
  }
}

RC_GTEST_PROP(WebSocketFilterProperty, RandomFramesInRandomPiecesGiveTheSameStream, ()) {
  std::string stream{kHandshake};
  std::string expected;
  bool is_message_open = false;
  for (int i = 0; i < 20; ++i) {
    const auto payload = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
    if (*rc::gen::inRange(0, 4) == 0) {
      stream += ping(payload.substr(0, 125));
      continue;
    }
    const bool is_final = *rc::gen::arbitrary<bool>();
    stream += frame((is_final ? kFin : 0) | (is_message_open ? 0x0 : 0x2), payload);
    is_message_open = !is_final;
    expected += payload;
  }
  Talk talk;
  for (std::size_t at = 0; at < stream.size();) {
    const auto size = *rc::gen::inRange<std::size_t>(1, 200);
    RC_ASSERT(talk.say(std::string_view(stream).substr(at, size)));
    at += size;
  }
  RC_ASSERT(talk.plain == expected);
}

// A packet with a body of `bytes`.
std::string packet(char first_byte, std::size_t bytes) {
  ByteBuffer out;
  out.append(std::string_view(&first_byte, 1));
  mqtt::append_varint(out, static_cast<std::uint32_t>(bytes));
  return std::string(as_text(out.view())) + std::string(bytes, first_byte);
}

// What is in each frame of `wire`, a server's.
std::vector<std::string> payloads_of(ByteView wire) {
  std::vector<std::string> payloads;
  while (!wire.empty()) {
    WebSocketFrameHeader header;
    EXPECT_EQ(read_websocket_header(wire, header), WebSocketHeaderState::kComplete);
    EXPECT_FALSE(header.is_masked);
    EXPECT_EQ(header.opcode, WebSocketOpcode::kBinary);
    if (header.bytes + header.payload_bytes > wire.size()) break;
    payloads.emplace_back(as_text(wire.subspan(header.bytes, header.payload_bytes)));
    wire = wire.subspan(header.bytes + header.payload_bytes);
  }
  EXPECT_TRUE(wire.empty());
  return payloads;
}

TEST_F(WebSocketFilterTest, EachPacketIsAFrame) {
  const std::vector<std::string> packets{packet(0x20, 2),      packet('\xD0', 0),    packet(0x30, 122),
                                         packet(0x30, 123),    packet(0x30, 127),    packet(0x30, 128),
                                         packet(0x30, 16'383), packet(0x30, 16'384), packet('\xE0', 0)};
  std::string all;
  for (const std::string& one : packets) all += one;
  filter.send(as_bytes(all));
  EXPECT_EQ(payloads_of(filter.wire().view()), packets);
}

RC_GTEST_PROP(WebSocketFilterProperty, EachPacketOfALongTurnIsAFrame, ()) {
  // Short ones for the most part, with runs of those that are as long as a short one can be.
  const auto sizes = *rc::gen::container<std::vector<std::size_t>>(
      400, rc::gen::weightedOneOf<std::size_t>({{20, rc::gen::inRange<std::size_t>(0, 130)},
                                                {5, rc::gen::inRange<std::size_t>(120, 124)},
                                                {1, rc::gen::inRange<std::size_t>(0, 20'000)}}));
  std::vector<std::string> packets;
  std::string all;
  for (const std::size_t size : sizes) {
    packets.push_back(packet(static_cast<char>(size), size));
    all += packets.back();
  }
  Talk talk;
  talk.open();
  talk.filter.send(as_bytes(all));
  RC_ASSERT(payloads_of(talk.filter.wire().view()) == packets);
}

TEST_F(WebSocketFilterTest, ALongPacketComesInSeveralFramesAndTheNextInItsOwn) {
  const std::string text = packet(0x30, 2 * WebSocketFilter::kFrameBytesMax + 1);
  ASSERT_EQ(text.size(), 2 * WebSocketFilter::kFrameBytesMax + 5);
  filter.send(as_bytes(text + packet(0x40, 2)));
  const std::vector<std::string> payloads = payloads_of(filter.wire().view());
  EXPECT_THAT(payloads, testing::ElementsAre(testing::SizeIs(WebSocketFilter::kFrameBytesMax),
                                             testing::SizeIs(WebSocketFilter::kFrameBytesMax),
                                             testing::SizeIs(5), packet(0x40, 2)));
  EXPECT_EQ(payloads[0] + payloads[1] + payloads[2], text);
}

TEST_F(WebSocketFilterTest, WhatIsNoWholePacketIsSentAllTheSame) {
  const std::string malformed(5, '\xFF');
  for (const std::string& part :
       {std::string("\x30"), std::string("\x30\x80"), std::string("\x30\x7F..."), malformed}) {
    filter.send(as_bytes(packet(0x40, 2) + part));
    EXPECT_EQ(payloads_of(filter.wire().view()), (std::vector<std::string>{packet(0x40, 2), part}));
    filter.wire().clear();
  }
}

TEST_F(WebSocketFilterTest, PongsThatNobodyReadsAreBounded) {
  std::string pings;
  for (int i = 0; i < 100; ++i) pings += ping(std::string(100, 'p'));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(filter.receive(as_bytes(pings)));
  EXPECT_LE(filter.wire().size(), WebSocketFilter::kPongBytesMax + 2);
  filter.wire().clear();
  ASSERT_TRUE(filter.receive(as_bytes(ping("again"))));
  EXPECT_EQ(as_text(filter.wire().view()), answered(kFin | 0xA, "again"))
      << "once they are read, more are sent";
}

// ---- the end ----

TEST_F(WebSocketFilterTest, WhatBreaksTheProtocolIsClosedWithItsCode) {
  struct Broken {
    std::string_view what;
    std::string bytes;
    unsigned code;
  };
  std::string unmasked = answered(kFin | 0x2, "x");
  const Broken cases[] = {
      {"a continuation without a start", last("x"), 1002},
      {"a start inside a message", start("x") + binary("y"), 1002},
      {"no mask", unmasked, 1002},
      {"a reserved bit", frame(kFin | 0x40 | 0x2, "x"), 1002},
      {"an unknown opcode", frame(kFin | 0x3, "x"), 1002},
      {"text", frame(kFin | 0x1, "x"), 1003},
      {"text as the start of fragments", frame(0x1, "x"), 1003},
      {"a long ping", ping(std::string(126, 'x')), 1002},
      {"a ping in fragments", frame(0x9, "x"), 1002},
      {"a close of one byte", frame(kFin | 0x8, "x"), 1002},
      {"a close code that may not be sent", close(1006), 1002},
      {"a close reason that is not UTF-8", close(1000, "\xFF"), 1007},
      {"a close", close(1001), 1001},
      {"a close with a code of its own", close(4000, "mine"), 4000},
  };
  for (const Broken& broken : cases) {
    Talk talk;
    talk.open();
    EXPECT_FALSE(talk.say(binary("before ") + broken.bytes + binary("after"))) << broken.what;
    EXPECT_THAT(talk.wire, testing::EndsWith(closed_with(broken.code))) << broken.what;
    EXPECT_THAT(talk.plain, StartsWith("before ")) << broken.what;
    EXPECT_THAT(talk.plain, testing::Not(HasSubstr("after"))) << broken.what;
    talk.filter.send(as_bytes("too late"));
    talk.filter.finish();
    EXPECT_TRUE(talk.filter.wire().empty()) << broken.what;
    EXPECT_FALSE(talk.filter.receive(as_bytes(binary("still here")))) << broken.what;
  }
}

TEST_F(WebSocketFilterTest, ACloseWithoutACodeIsAnsweredWithoutOne) {
  EXPECT_FALSE(say(frame(kFin | 0x8, "")));
  EXPECT_EQ(wire, answered(kFin | 0x8, ""));
}

TEST_F(WebSocketFilterTest, TheBrokerClosesNormally) {
  filter.send(as_bytes("DISCONNECT"));
  filter.finish();
  EXPECT_EQ(as_text(filter.wire().view()), answered(kFin | 0x2, "DISCONNECT") + closed_with(1000));
}

}  // namespace
}  // namespace nightjar::net
