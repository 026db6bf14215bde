// A scripted MQTT client in a World: writes packets with the codec, reads what comes, and remembers it. It
// acknowledges by itself unless told not to.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mqtt/packets.h"
#include "mqtt/reader.h"
#include "mqtt/writer.h"
#include "tests/support/world.h"

namespace nightjar::testing {

struct UserPropertyText {
  std::string name;
  std::string value;
  friend bool operator==(const UserPropertyText&, const UserPropertyText&) = default;
};

// A PUBLISH as the client got it, with everything copied.
struct Received {
  std::string topic;
  std::string payload;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool retain = false;
  bool dup = false;
  mqtt::PacketId packet_id{};
  std::optional<std::uint32_t> expiry_s;
  std::optional<std::uint16_t> topic_alias;
  bool topic_was_empty = false;  // on the wire, with a Topic Alias
  std::vector<std::uint32_t> subscription_ids;
  std::vector<UserPropertyText> user_properties;
  std::string content_type, response_topic, correlation_data;
};

struct WillOptions {
  std::string topic;
  std::string payload;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool retain = false;
  std::optional<std::uint32_t> delay_s;
  std::optional<std::uint32_t> expiry_s;
};

struct ConnectOptions {
  mqtt::Version version = mqtt::Version::k5;
  bool clean_start = true;
  std::uint16_t keep_alive_s = 0;
  std::optional<std::uint32_t> session_expiry_s;
  std::optional<std::uint16_t> receive_maximum;
  std::optional<std::uint32_t> packet_bytes_max;
  std::optional<std::uint16_t> topic_alias_maximum;
  std::optional<std::uint8_t> request_problem_information;
  std::optional<std::string> auth_method;
  std::optional<std::string> auth_data;
  std::optional<std::string> user_name;
  std::optional<std::string> password;
  std::optional<WillOptions> will;
  std::uint16_t worker = 0;  // which worker accepts the socket
};

struct PublishOptions {
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool retain = false;
  bool dup = false;
  std::optional<std::uint16_t> packet_id;  // else the next one
  std::string properties;                  // encoded
};

class Client {
 public:
  Client(World& world, std::string client_id);

  // Everything below only writes to the link; World::settle or turns carry it.
  void connect(const ConnectOptions& options = {});
  void publish(const std::string& topic, const std::string& payload, const PublishOptions& options = {});
  void subscribe(const std::string& filter, mqtt::Qos qos = mqtt::Qos::kAtMostOnce,
                 std::uint32_t subscription_id = 0);
  void subscribe(const std::vector<mqtt::SubscriptionRequest>& requests, std::uint32_t subscription_id = 0);
  void unsubscribe(const std::string& filter);
  void ping();
  void disconnect(mqtt::ReasonCode code = mqtt::ReasonCode::kSuccess,
                  std::optional<std::uint32_t> session_expiry_s = {});
  void acknowledge(mqtt::PacketType type, mqtt::PacketId id,
                   mqtt::ReasonCode code = mqtt::ReasonCode::kSuccess);
  void send(ByteView bytes);
  // Hangs up without a word.
  void drop_link();
  // Reads what has arrived, acknowledging it if auto_acknowledge is on.
  void poll();
  // Reads one packet; log.back() tells which. False if there is none.
  bool poll_one();
  // settle(), poll() and so on until nothing moves.
  void run();

  [[nodiscard]] bool is_linked() const { return wire_ != nullptr; }
  // The broker has hung up and everything it sent was read.
  [[nodiscard]] bool is_closed() const {
    return wire_ == nullptr || (wire_->broker_closed && wire_->to_client.empty());
  }
  Wire& wire() { return *wire_; }
  [[nodiscard]] const std::string& id() const { return client_id_; }
  [[nodiscard]] mqtt::Version version() const { return version_; }

  bool auto_acknowledge = true;
  bool reads = true;                             // false: poll leaves everything on the wire
  std::optional<mqtt::ReasonCode> connack_code;  // 3.x: 0 or the return code
  bool session_present = false;
  std::string assigned_client_id;
  std::optional<std::uint32_t> session_expiry_told;
  std::optional<mqtt::ReasonCode> disconnect_code;
  std::vector<Received> received;
  struct Ack {
    mqtt::PacketType type;
    mqtt::PacketId packet_id;
    mqtt::ReasonCode code;
    std::string reason;  // Reason String; empty without
  };
  std::vector<Ack> acks;  // PUBACK, PUBREC, PUBREL, PUBCOMP in order
  struct SubAnswer {
    mqtt::PacketId packet_id;
    std::vector<mqtt::ReasonCode> codes;
    std::string reason;
  };
  std::vector<SubAnswer> subacks;
  std::vector<SubAnswer> unsubacks;
  std::vector<mqtt::PacketType> log;  // type of every packet in order
  int pings = 0;
  std::vector<std::pair<mqtt::ReasonCode, std::string>> auths;  // code and data
  std::uint16_t next_packet_id = 1;

 private:
  void read_packet(const mqtt::Frame& frame);
  void read_publish(const mqtt::Frame& frame);
  void read_ack(const mqtt::Frame& frame);

  World& world_;
  std::string client_id_;
  mqtt::Version version_ = mqtt::Version::k5;
  std::shared_ptr<Wire> wire_;
  std::vector<std::string> aliases_;
};

}  // namespace nightjar::testing
