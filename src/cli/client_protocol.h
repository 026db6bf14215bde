// The client's side of MQTT 3.1, 3.1.1 and 5.0 as a state machine: bytes and requests in, bytes and events
// out. It keeps what must outlive a connection (QoS 1 and 2 in both directions) and sends it again on the
// next one. One thread at a time; no socket and no clock, so tests speak for the broker.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "cli/message.h"
#include "cli/settings.h"
#include "mqtt/reader.h"
#include "mqtt/writer.h"

namespace nightjar::cli {

// CONNACK said yes.
struct Connected {
  bool session_present = false;
};
// CONNACK said no.
struct Refused {
  std::string why;
  bool may_retry = false;  // a busy broker, not a wrong password
};
// A message given to publish() is finished: acknowledged as its QoS wants, or refused.
struct Published {
  std::uint64_t number = 0;  // as given to publish()
  bool accepted = false;
  std::string why;  // if refused
};
struct Subscribed {
  std::vector<mqtt::ReasonCode> codes;  // one for each filter, in order
  std::string why;                      // the broker's Reason String, if any
};
// No more can be done on this connection: DISCONNECT came, or the broker broke the protocol.
struct Ended {
  std::string why;
  bool may_retry = false;
};
using Event = std::variant<Connected, Refused, Published, Subscribed, ReceivedMessage, Ended>;

// What CONNACK allows; the defaults are the standard's.
struct BrokerLimits {
  std::uint16_t receive_maximum = mqtt::kReceiveMaximumDefault;
  std::uint16_t topic_alias_maximum = 0;
  std::uint32_t packet_bytes_max = std::numeric_limits<std::uint32_t>::max();
  mqtt::Qos maximum_qos = mqtt::Qos::kExactlyOnce;
  bool retain_available = true;
};

class ClientProtocol {
 public:
  explicit ClientProtocol(const ConnectionSettings& settings);

  // A new connection stands: forgets what belonged to the last one and writes CONNECT.
  void start();
  // Takes in what came from the socket.
  void receive(ByteView bytes) { input_.append(bytes); }
  // Handles received packets up to the next event; false if there is none. Packets behind it are not touched,
  // so that a caller who stops has acknowledged nothing that it did not see.
  bool next_event(Event& event);
  bool has_event();
  // Bytes for the socket; the caller consumes what it sent.
  ByteBuffer& output() { return output_; }

  // Takes the message; a Published event with `number` follows, on this connection or a later one.
  void publish(std::uint64_t number, OutgoingMessage message);
  void subscribe(const SubscribeSettings& request);
  void ping();
  void disconnect(mqtt::ReasonCode code);

  [[nodiscard]] bool is_connected() const { return is_connected_; }
  // Messages given to publish() without an event yet, and their size.
  [[nodiscard]] std::size_t unfinished() const { return waiting_.size() + inflight_.size(); }
  [[nodiscard]] std::size_t unfinished_bytes() const { return unfinished_bytes_; }
  [[nodiscard]] std::uint16_t keep_alive_s() const { return keep_alive_s_; }
  [[nodiscard]] bool awaits_pingresp() const { return awaits_pingresp_; }
  // As given, or as assigned by the broker.
  [[nodiscard]] const std::string& client_id() const { return client_id_; }

 private:
  enum class Stage : std::uint8_t { kUnsent, kAwaitsAck, kAwaitsPubcomp };
  struct Outgoing {
    std::uint64_t number = 0;
    OutgoingMessage message;
    mqtt::PacketId packet_id;  // in flight only
    Stage stage = Stage::kUnsent;
    bool dup = false;
  };
  using InFlight = std::deque<Outgoing>::iterator;

  // False if there is no whole packet.
  bool handle_next_frame();
  void handle(const mqtt::Frame& frame);
  void on_connack(const mqtt::Frame& frame);
  void take_limits(const mqtt::Properties& properties);
  void resume();
  void restart_session();
  void on_publish(const mqtt::Frame& frame);
  bool resolve_alias(ReceivedMessage& message);
  void on_publish_ack(const mqtt::Frame& frame);
  void on_pubrel(mqtt::PacketId id);
  void on_suback(const mqtt::Frame& frame);
  void on_disconnect(const mqtt::Frame& frame);
  // The broker broke the protocol: says so (5.0) and ends the connection.
  void end_with(const mqtt::Violation& violation);

  // Sends what the broker's Receive Maximum allows, oldest first.
  void send_waiting();
  void send(Outgoing& out);
  // Empty if the broker takes the message, else why not.
  [[nodiscard]] std::string refusal(const OutgoingMessage& message) const;
  void finish(const InFlight& entry, bool accepted, std::string why);
  InFlight find_inflight(mqtt::PacketId id);
  mqtt::PacketId next_packet_id();

  ConnectionSettings settings_;
  std::string client_id_;
  BrokerLimits limits_;
  std::uint16_t keep_alive_s_ = 0;
  bool was_connected_ = false;  // ever
  bool is_connected_ = false;   // CONNACK seen, not ended
  bool has_ended_ = false;
  bool awaits_pingresp_ = false;

  ByteBuffer input_;
  ByteBuffer output_;
  std::deque<Event> events_;

  std::deque<Outgoing> waiting_;   // order of publish()
  std::deque<Outgoing> inflight_;  // order of sending
  std::size_t unfinished_bytes_ = 0;
  std::uint16_t window_max_ = 0;
  std::uint16_t window_ = 0;  // how many more QoS 1 and 2 messages may be sent now
  std::uint16_t last_packet_id_ = 0;
  mqtt::PacketId subscribe_id_;                             // 0: none outstanding
  std::set<mqtt::PacketId> incoming_qos2_;                  // delivered, PUBREL not seen
  std::unordered_map<std::uint16_t, std::string> aliases_;  // the broker's, this connection
  std::set<std::uint16_t> sent_aliases_;                    // ours, this connection
};

// "Not authorized (0x87)", with ": REASON STRING" behind it if there is one.
std::string describe(mqtt::ReasonCode code, std::string_view reason_string = {});

}  // namespace nightjar::cli
