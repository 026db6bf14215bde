#include "config/mosquitto/persistence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace nightjar::config::mosquitto {
namespace {

using testing::HasSubstr;

std::string high(std::uint64_t value, unsigned bytes) {
  std::string out;
  while (bytes-- != 0) out.push_back(static_cast<char>(value >> (8 * bytes)));
  return out;
}

std::string low(std::uint64_t value) {
  std::string out;
  for (unsigned i = 0; i < 8; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

std::string chunk(std::uint32_t kind, const std::string& body) {
  return high(kind, 4) + high(body.size(), 4) + body;
}

std::string header(std::uint32_t format) {
  return std::string("\x00\xb5\x00mosquitto db", 15) + high(0, 4) + high(format, 4);
}

std::string message(std::uint64_t id, const std::string& topic, const std::string& payload,
                    const std::string& properties = {}) {
  return chunk(2, low(id) + low(99) + high(payload.size(), 4) + high(1, 2) + high(3, 2) + high(1, 2) +
                      high(topic.size(), 2) + high(1883, 2) + "\1" + std::string(1, '\1') + "pub" + "u" +
                      topic + payload + properties);
}

const std::string kSession = chunk(6, low(500) + high(60, 4) + high(9, 2) + high(2, 2) + high(1883, 2) +
                                          high(3, 2) + high(0, 4) + "c1" + "ann");

std::string client_message(std::uint64_t id, char state) {
  return chunk(3, low(id) + high(7, 2) + high(2, 2) + "\2" + state + "\x10" + "\1" + "c1" + "\2\x0b\x05");
}

std::string error_of(const std::string& bytes) {
  const auto read = read_persistence(bytes, "m.db");
  return read ? "no error" : read.error().message;
}

TEST(MosquittoPersistence, ReadsEachKindOfChunk) {
  const std::string file =
      header(6) + chunk(1, low(5) + "\1\x08" + high(0, 6)) + message(4, "a/b", "hello", "\2\1\1") + kSession +
      client_message(4, '\x05') +
      chunk(5, high(5, 4) + high(2, 2) + high(3, 2) + "\2\x0c" + high(0, 2) + "c1" + "a/#") +
      chunk(4, low(4));
  const auto read = read_persistence(file, "m.db");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->messages.size(), 1U);
  EXPECT_EQ(read->messages[0].topic, "a/b");
  EXPECT_EQ(read->messages[0].payload, "hello");
  EXPECT_EQ(read->messages[0].properties, "\2\1\1");
  EXPECT_EQ(read->messages[0].expires_s, 99);
  ASSERT_EQ(read->clients.size(), 1U);
  EXPECT_EQ(read->clients[0].user_name, "ann");
  EXPECT_EQ(read->clients[0].last_packet_id, 9);
  ASSERT_EQ(read->client_messages.size(), 1U);
  EXPECT_EQ(read->client_messages[0].state, MessageState::kSent);
  EXPECT_TRUE(read->client_messages[0].retain);
  EXPECT_FALSE(read->client_messages[0].is_incoming);
  ASSERT_EQ(read->subscriptions.size(), 1U);
  EXPECT_EQ(read->subscriptions[0].filter, "a/#");
  EXPECT_TRUE(read->subscriptions[0].no_local);
  EXPECT_TRUE(read->subscriptions[0].retain_as_published);
  EXPECT_EQ(read->retained, std::vector<std::uint64_t>{4});
}

TEST(MosquittoPersistence, ClientsOfFormat5HaveNoUserName) {
  const std::string file = header(5) + chunk(6, low(0) + high(60, 4) + high(9, 2) + high(2, 2) + "c1");
  const auto read = read_persistence(file, "m.db");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->clients.at(0).id, "c1");
  EXPECT_EQ(read->clients.at(0).expiry_interval_s, 60U);
}

TEST(MosquittoPersistence, NamesWhereItIsDamaged) {
  EXPECT_THAT(error_of("other"), HasSubstr("m.db: at byte 0: it is no file of Mosquitto"));
  EXPECT_THAT(error_of(header(4)), HasSubstr("at byte 19: it has the format 4"));
  EXPECT_THAT(error_of(header(6) + chunk(9, "")), HasSubstr("at byte 23: there is no chunk of kind 9"));
  EXPECT_THAT(error_of(header(6) + chunk(4, low(1) + "x")), HasSubstr("at byte 23: the lengths"));
  EXPECT_THAT(error_of(header(6) + chunk(4, low(1))), HasSubstr("the retained message 1 is missing"));
  EXPECT_THAT(error_of(header(6) + message(1, "a", "") + message(1, "a", "")), HasSubstr("was there before"));
}

TEST(MosquittoPersistence, EveryCutIsNoticed) {
  const std::string first = message(1, "a", "x");
  const std::string file = header(6) + first + kSession;
  for (std::size_t size = 0; size < file.size(); ++size) {
    const bool is_whole = size == header(6).size() || size == header(6).size() + first.size();
    EXPECT_EQ(read_persistence(std::string_view(file).substr(0, size), "m.db").has_value(), is_whole) << size;
  }
}

}  // namespace
}  // namespace nightjar::config::mosquitto
