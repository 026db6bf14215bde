// Reads a mosquitto.db, the file that Mosquitto keeps its state in (formats 5 and 6, of Mosquitto 1.6
// and 2.x), as written on a machine with the lowest byte first. The bytes come from outside: nothing is taken
// from beyond them, and what is not as it should be ends the reading with its offset. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nightjar::config::mosquitto {

// What is read refers to the bytes of the file.
struct StoredMessage {
  std::uint64_t id = 0;
  std::int64_t expires_s = 0;  // since 1970; 0: never
  std::uint8_t qos = 0;
  bool retain = false;
  std::string_view source_id;  // who published it
  std::string_view source_user_name;
  std::uint16_t source_port = 0;  // of the listener; 0: not known
  std::string_view topic;
  std::string_view payload;
  std::string_view properties;  // with their length in front; empty: none
};

struct StoredClient {
  std::int64_t expires_s = 0;  // since 1970; 0: it was connected, or its session never ends
  std::uint32_t expiry_interval_s = 0;
  std::uint16_t last_packet_id = 0;
  std::uint16_t listener_port = 0;  // 0: not known
  std::string_view id;
  std::string_view user_name;
};

// How far the delivery of a message is.
enum class MessageState : std::uint8_t {
  kWaiting,      // not sent, or a QoS 0 message
  kSent,         // and not acknowledged
  kReleased,     // QoS 2: PUBREC has come, PUBCOMP has not
  kNotReleased,  // from the client: QoS 2, PUBREL has not come
  kDone
};

struct ClientMessage {
  std::string_view client_id;
  std::uint64_t message_id = 0;
  std::uint16_t packet_id = 0;
  std::uint8_t qos = 0;
  bool retain = false;
  bool is_incoming = false;
  MessageState state = MessageState::kWaiting;
  std::string_view properties;  // with their length in front; empty: none
};

struct StoredSubscription {
  std::string_view client_id;
  std::string_view filter;
  std::uint32_t identifier = 0;
  std::uint8_t qos = 0;
  bool no_local = false;
  bool retain_as_published = false;
};

// In the order of the file.
struct Persistence {
  std::uint32_t format = 0;
  std::vector<StoredMessage> messages;
  std::vector<StoredClient> clients;
  std::vector<ClientMessage> client_messages;
  std::vector<StoredSubscription> subscriptions;
  std::vector<std::uint64_t> retained;  // ids of messages
};

// What is found points into `bytes`, so that no temporary can be read. `name` stands for the file in the
// error.
Result<Persistence> read_persistence(std::string_view bytes, std::string_view name);
Result<Persistence> read_persistence(std::string&& bytes, std::string_view name) = delete;

}  // namespace nightjar::config::mosquitto
