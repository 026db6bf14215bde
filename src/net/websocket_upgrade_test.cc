#include "net/websocket_upgrade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nightjar::net {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Line {
  std::string name;
  std::string value;
};

// A request that is accepted, with changes.
std::string request(const std::vector<Line>& changes = {}, std::string_view first = "GET /any HTTP/1.1") {
  std::vector<Line> lines{{"Host", "broker"},
                          {"Upgrade", "websocket"},
                          {"Connection", "Upgrade"},
                          {"Sec-WebSocket-Version", "13"},
                          {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                          {"Sec-WebSocket-Protocol", "mqtt"}};
  for (const Line& change : changes) {
    std::erase_if(lines, [&](const Line& line) { return line.name == change.name; });
    if (change.value != "-") lines.push_back(change);
  }
  std::string text{first};
  for (const Line& line : lines) text += "\r\n" + line.name + ": " + line.value;
  return text + "\r\n\r\n";
}

std::string answer(const std::string& head, const WebSocketRules& rules = {}) {
  return answer_websocket_upgrade(head, rules).text;
}

TEST(WebSocketUpgrade, TheExampleOfTheRfcIsAccepted) {
  const WebSocketAnswer accepted = answer_websocket_upgrade(request(), {});
  EXPECT_TRUE(accepted.is_accepted);
  EXPECT_EQ(accepted.text,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
}

TEST(WebSocketUpgrade, NamesAndTokensAreFoundInAnyCaseAndAmongOthers) {
  EXPECT_THAT(answer(request({{"Upgrade", "-"},
                              {"uPGRADE", "h2c, WebSocket"},
                              {"Connection", "keep-alive, UPGRADE"},
                              {"Cookie", "a=b"}})),
              StartsWith("HTTP/1.1 101 "));
}

TEST(WebSocketUpgrade, TheBestSubprotocolIsChosen) {
  const auto chosen = [](std::string_view offer) {
    return answer(request({{"Sec-WebSocket-Protocol", std::string(offer)}}));
  };
  EXPECT_THAT(chosen("mqttv3.1, mqtt"), HasSubstr("Sec-WebSocket-Protocol: mqtt\r\n"));
  EXPECT_THAT(chosen("mqttv3.1"), HasSubstr("Sec-WebSocket-Protocol: mqttv3.1\r\n"));
  EXPECT_THAT(chosen("a,b\r\nSec-WebSocket-Protocol: mqtt"), HasSubstr("Sec-WebSocket-Protocol: mqtt\r\n"));
  for (const char* none : {"-", "chat", "MQTT", ""})
    EXPECT_THAT(chosen(none), StartsWith("HTTP/1.1 400 ")) << none;
}

TEST(WebSocketUpgrade, WhatIsMissingIsSaid) {
  EXPECT_THAT(answer(request({{"Upgrade", "-"}})), StartsWith("HTTP/1.1 426 "));
  EXPECT_THAT(answer(request({{"Upgrade", "-"}})), HasSubstr("\r\nUpgrade: websocket\r\n"));
  EXPECT_THAT(answer(request({{"Connection", "close"}})), StartsWith("HTTP/1.1 426 "));
  EXPECT_THAT(answer(request({{"Sec-WebSocket-Version", "8"}})), HasSubstr("Sec-WebSocket-Version: 13\r\n"));
  for (const char* key :
       {"-", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZ!==", "dGhlIHNhbXBsZSBub25jZQ==x"}) {
    EXPECT_THAT(answer(request({{"Sec-WebSocket-Key", key}})), StartsWith("HTTP/1.1 400 ")) << key;
  }
  EXPECT_THAT(answer(request({{"Host", "-"}})), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer(request({{"Content-Length", "5"}})), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer(request({{"Transfer-Encoding", "chunked"}})), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer(request({}, "POST / HTTP/1.1")), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(answer(request({}, "GET / HTTP/1.0")), StartsWith("HTTP/1.1 400 "));
}

TEST(WebSocketUpgrade, GarbageIsABadRequest) {
  for (const char* head :
       {"\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\n: empty\r\n\r\n", "GET / HTTP/1.1\r\nA: \x01\r\n\r\n"}) {
    EXPECT_THAT(answer(head), StartsWith("HTTP/1.1 400 ")) << head;
  }
}

TEST(WebSocketUpgrade, OriginsAreHeldToTheList) {
  const WebSocketRules rules{.origins = {"https://plant.example", "http://localhost:8080"}};
  const auto from = [&](const char* origin) { return answer(request({{"Origin", origin}}), rules); };
  EXPECT_THAT(from("https://plant.example"), StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(from("HTTPS://PLANT.EXAMPLE"), StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(from("http://localhost:8080"), StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(from("-"), StartsWith("HTTP/1.1 101 ")) << "no browser";
  for (const char* other : {"https://plant.example.org", "http://plant.example", "null", ""}) {
    EXPECT_THAT(from(other), StartsWith("HTTP/1.1 403 ")) << other;
  }
}

TEST(WebSocketUpgrade, AHeadLongerThanAllowedIsRefusedAsSuch) {
  EXPECT_THAT(answer(request({{"X", std::string(2000, 'x')}}), {.head_bytes_max = 1024}),
              StartsWith("HTTP/1.1 431 "));
}

}  // namespace
}  // namespace nightjar::net
