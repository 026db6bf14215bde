#include "cli/bench/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "mqtt/writer.h"
#include "net/websocket_frames.h"
#include "net/websocket_upgrade.h"

namespace nightjar::cli::bench {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

BenchOptions over_websocket() {
  BenchOptions options;
  options.uses_websocket = true;
  options.host = "broker.example";
  return options;
}

// What a broker answers to the request.
std::string answer(std::string_view request) {
  constexpr std::string_view kKey = "Sec-WebSocket-Key: ";
  const std::string_view key = request.substr(request.find(kKey) + kKey.size(), 24);
  return "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + net::websocket_accept(key) +
         "\r\n\r\n";
}

Result<std::size_t> give(Wire& wire, std::string& bytes, ByteBuffer& out) {
  auto* const data = reinterpret_cast<std::byte*>(bytes.data());
  return wire.receive(data, bytes.size(), data, out);
}

TEST(Wire, IsNotNeededForPlainPackets) {
  EXPECT_TRUE(make_wire_settings({})->is_plain());
  EXPECT_FALSE(make_wire_settings(over_websocket())->is_plain());
}

TEST(Wire, AsksForWebSocketFirst) {
  Wire wire(make_wire_settings(over_websocket()).value(), nullptr);
  ByteBuffer out;
  wire.begin(out);
  const std::string request{as_text(out.view())};
  EXPECT_THAT(request, StartsWith("GET /mqtt HTTP/1.1\r\nHost: broker.example:1883\r\n"));
  EXPECT_THAT(request, HasSubstr("Sec-WebSocket-Protocol: mqtt\r\n"));
  EXPECT_FALSE(wire.is_open());
  std::string reply = answer(request);
  ASSERT_TRUE(give(wire, reply, out));
  EXPECT_TRUE(wire.is_open());
}

TEST(Wire, GivesEachPacketAFrameOfItsOwn) {
  Wire wire(make_wire_settings(over_websocket()).value(), nullptr);
  ByteBuffer packets;
  mqtt::write_pingreq(packets);
  mqtt::write_pingreq(packets);
  ByteBuffer out;
  wire.send(packets.view(), out);
  for (int i = 0; i < 2; ++i) {
    net::WebSocketFrameHeader header;
    ASSERT_EQ(net::read_websocket_header(out.view(), header), net::WebSocketHeaderState::kComplete);
    EXPECT_EQ(header.payload_bytes, 2U);
    EXPECT_TRUE(header.is_masked);
    out.consume(header.bytes + 2);
  }
  EXPECT_TRUE(out.empty());
}

TEST(Wire, EndsWithABrokerThatRefuses) {
  Wire wire(make_wire_settings(over_websocket()).value(), nullptr);
  ByteBuffer out;
  wire.begin(out);
  std::string reply = "HTTP/1.1 403 Forbidden\r\n\r\nnot from here\n";
  const auto done = give(wire, reply, out);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("403 Forbidden: not from here"));
}

TEST(Wire, ReadsTheFilesOfTlsAtOnce) {
  BenchOptions options;
  options.tls.emplace().authorities = "/nonexistent/ca.pem";
  const auto settings = make_wire_settings(options);
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().message, HasSubstr("/nonexistent/ca.pem"));
}

}  // namespace
}  // namespace nightjar::cli::bench
