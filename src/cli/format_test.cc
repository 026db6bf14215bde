#include "cli/format.h"

#include <gtest/gtest.h>

namespace nightjar::cli {
namespace {

// 2023-11-14 22:13:20.123 UTC
constexpr std::int64_t kAt = 1'700'000'000'123;

ReceivedMessage temperature() {
  ReceivedMessage message;
  message.topic = "home/temperature";
  message.payload = "21.5";
  message.qos = mqtt::Qos::kAtLeastOnce;
  message.retain = true;
  message.packet_id = 7;
  return message;
}

std::string render(std::string_view format, const ReceivedMessage& message) {
  const Result<Format> parsed = Format::parse(format);
  if (!parsed) return "error: " + parsed.error().message;
  std::string out;
  parsed->render(message, kAt, out);
  return out;
}

TEST(Format, IsThePayloadWhenNothingElseIsAskedFor) {
  std::string out;
  Format{}.render(temperature(), kAt, out);
  EXPECT_EQ(out, "21.5");
}

TEST(Format, PutsEachPartOfTheMessageInItsPlace) {
  EXPECT_EQ(render("%t=%p q%q r%r d%d l%l m%m", temperature()), "home/temperature=21.5 q1 r1 d0 l4 m7");
}

TEST(Format, ShowsBytesAsHex) {
  ReceivedMessage message;
  message.payload = std::string{"\x00\x7f\xff", 3};
  EXPECT_EQ(render("%x %X", message), "007fff 007FFF");
}

TEST(Format, TellsTheTimeOfReception) {
  EXPECT_EQ(render("%U %I", temperature()), "1700000000.123 2023-11-14T22:13:20.123Z");
}

TEST(Format, KnowsEscapesAndThePercentSign) {
  EXPECT_EQ(render("a\\tb\\nc\\\\d%%e\\e", temperature()), "a\tb\nc\\d%e\x1b");
  EXPECT_EQ(render("a\\0b", temperature()), (std::string{"a\0b", 3}));
}

TEST(Format, ShowsTheProperties) {
  ReceivedMessage message = temperature();
  message.topic_alias = 3;
  message.properties.content_type = "text/plain";
  message.properties.response_topic = "answer/here";
  message.properties.correlation_data = "42";
  message.properties.message_expiry_s = 60;
  message.properties.payload_format = 1;
  message.properties.user_properties = {{"a", "1"}, {"a", "2"}};
  message.subscription_ids = {5, 268'435'455};
  EXPECT_EQ(render("%A|%C|%R|%D|%E|%F|%P|%S", message),
            "3|text/plain|answer/here|42|60|1|a:1 a:2|5 268435455");
}

TEST(Format, LeavesAbsentPropertiesEmpty) { EXPECT_EQ(render("[%A%C%R%D%E%F%P%S]", temperature()), "[]"); }

TEST(Format, NamesWhatItDoesNotKnow) {
  EXPECT_EQ(render("%t %z", temperature()),
            "error: unknown conversion \"%z\" in the format; --help lists the known ones");
  EXPECT_EQ(render("\\q", temperature()),
            "error: unknown escape \"\\q\" in the format; known are \\n \\t \\r \\0 \\e \\\\");
  EXPECT_EQ(render("%t %", temperature()), "error: the format ends with a lone \"%\"");
}

TEST(Format, ListsEveryConversionInTheHelp) {
  for (char c = 'A'; c <= 'z'; ++c) {
    const std::string conversion = std::string{"%"} + c;
    const bool is_known = Format::parse(conversion).has_value();
    EXPECT_EQ(is_known, format_help().find(conversion + " ") != std::string_view::npos) << conversion;
  }
}

TEST(Json, HoldsTheWholeMessageOnOneLine) {
  EXPECT_EQ(
      render("%j", temperature()),
      R"({"time":"2023-11-14T22:13:20.123Z","topic":"home/temperature","qos":1,"retain":true,"dup":false,)"
      R"("packet_id":7,"length":4,"payload":"21.5"})");
}

TEST(Json, EscapesWhatJsonMustNotHold) {
  ReceivedMessage message;
  message.topic = "a\"b\\c";
  message.payload = "line\nend\t\x01 \xc3\xa9";
  EXPECT_NE(render("%j", message).find(R"("topic":"a\"b\\c")"), std::string::npos);
  EXPECT_NE(render("%j", message).find("\"payload\":\"line\\nend\\t\\u0001 \xc3\xa9\""), std::string::npos);
}

TEST(Json, GivesBytesAsBase64) {
  const std::pair<std::string, std::string> cases[] = {
      {"\xff", "/w=="}, {"\xff\xfe", "//4="}, {"\xff\xfe\xfd", "//79"}, {"\xff\xfe\xfd\x41", "//79QQ=="}};
  for (const auto& [payload, base64] : cases) {
    ReceivedMessage message;
    message.payload = payload;
    EXPECT_NE(render("%j", message).find("\"payload_base64\":\"" + base64 + "\""), std::string::npos)
        << base64;
    EXPECT_EQ(render("%j", message).find("\"payload\":"), std::string::npos);
  }
}

TEST(Json, KeepsPropertiesInOrder) {
  ReceivedMessage message = temperature();
  message.properties.payload_format = 1;
  message.properties.user_properties = {{"k", "1"}, {"k", "2"}};
  message.subscription_ids = {4, 9};
  EXPECT_NE(render("%j", message)
                .find(R"("properties":{"payload_format":1,"subscription_ids":[4,9],)"
                      R"("user_properties":[{"name":"k","value":"1"},{"name":"k","value":"2"}]}})"),
            std::string::npos);
}

}  // namespace
}  // namespace nightjar::cli
