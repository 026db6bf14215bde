// One network connection with its protocol state: everything between the transport's bytes and the session.
// One movable object: when CONNECT names its home, the whole of it (transport and unread bytes included) goes
// there by mail. Used by one worker at a time.
#pragma once

#include <boost/container/deque.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/compact_text.h"
#include "base/timer_wheel.h"
#include "broker/ids.h"
#include "broker/policy.h"
#include "broker/ports.h"
#include "broker/session/packet_id_set.h"
#include "broker/session/will.h"
#include "mqtt/packets.h"

namespace nightjar::broker {

class Session;
struct Close;
struct WorkerState;
namespace protocol {
struct FilterWork;
}

// An acknowledgement that waits for the targets of its message, or for one in front of it: acks leave in
// order of receipt (rules: 7).
struct PendingAck {
  std::uint64_t place = 0;
  CommitNumber commit = 0;    // of its worker, which must be durable
  std::string_view why;       // of an error; a literal
  std::uint32_t awaited = 0;  // reports still to come
  mqtt::PacketId packet_id{};
  mqtt::PacketType type = mqtt::PacketType::kPuback;
  mqtt::ReasonCode code = mqtt::ReasonCode::kSuccess;
};
// In blocks of some fifty: a flood has hundreds waiting on each connection.
using PendingAcks =
    boost::container::deque<PendingAck, void,
                            boost::container::deque_options_t<boost::container::block_bytes<2048U>>>;

// SUBACK or UNSUBACK that waits for the owners of shared groups.
struct PendingSuback {
  std::uint32_t operation = 0;
  bool is_unsubscribe = false;
  mqtt::PacketId packet_id{};
  std::vector<mqtt::ReasonCode> codes;
  std::string why;  // of the first error
  std::uint32_t awaited = 0;
  CommitNumber commit = 0;  // of its worker, which must be durable
};

// Topic Aliases towards the client: the least recently used one is given to a new topic.
class OutgoingAliases {
 public:
  explicit OutgoingAliases(std::uint16_t maximum) : maximum_(maximum) {}
  struct Choice {
    std::uint16_t alias = 0;  // 0: none
    bool is_known = false;    // the client knows it; the topic may be left out
  };
  Choice choose(std::string_view topic);

 private:
  struct Entry {
    std::string topic;
    std::uint16_t alias;
  };
  std::uint16_t maximum_;
  std::list<Entry> by_use_;  // most recent first
  boost::unordered_flat_map<std::string_view, std::list<Entry>::iterator> by_topic_;
};

// What CONNECT asked for, kept while authentication is pending and on the way home.
struct PendingConnect {
  std::string client_id;
  bool clean_start = false;
  bool is_id_assigned = false;
  std::uint16_t keep_alive_s = 0;
  std::uint32_t expiry_s = 0;
  bool has_user_name = false;
  std::string user_name;
  bool has_password = false;
  std::string password;
  std::string auth_method;
  std::string auth_data;  // from the client; after success, for the client
  std::unique_ptr<Will> will;
  std::uint64_t ordinal = 0;
  std::size_t bytes = 0;  // of the packet: about what this holds
};

class Connection {
 public:
  enum class State : std::uint8_t {
    kAwaitConnect,
    kAuthenticating,  // nothing more is read
    kGoingHome,       // CONNECT accepted, in the mail or waiting for its shard
    kOpening,         // the session is to be stored before CONNACK; nothing more is read
    kConnected,
    kClosed  // dead; freed at the end of the turn
  };

  Connection(std::unique_ptr<Transport> transport, const ListenerPolicy& policy, std::uint64_t serial);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] bool is_v5() const { return version == mqtt::Version::k5; }
  [[nodiscard]] bool is_open() const { return state != State::kClosed; }
  // The client's Maximum Packet Size, or else the listener's for such clients, holds for every packet it is
  // sent [MQTT-3.1.2-24].
  [[nodiscard]] bool takes(std::size_t packet_bytes) const {
    return packet_bytes_max == 0 || packet_bytes <= packet_bytes_max;
  }

  // The transport of the network layer, for its own use.
  Transport& transport() { return *transport_; }
  std::unique_ptr<Transport> take_transport() { return std::move(transport_); }

  State state = State::kAwaitConnect;
  mqtt::Version version = mqtt::Version::k311;
  const bool is_mounted;                  // its listener has a mount point
  bool is_counted = false;                // in ConnectionCounts
  bool is_bridge = false;                 // of a 3.1.1 broker that said so (see subscribe.cc)
  bool wants_problem_information = true;  // Request Problem Information [MQTT-3.1.2-29]
  bool is_to_resume = false;              // unread bytes are to be parsed at the end of the turn
  bool is_awaiting_auth = false;          // kAuthenticating, and the client's AUTH is expected
  bool is_authenticating_again = false;
  bool is_answer_pending = false;  // of a re-authentication
  bool is_session_present = false;
  std::uint16_t keep_alive_s = 0;
  std::uint16_t receive_maximum = mqtt::kReceiveMaximumDefault;  // the client's
  std::uint32_t packet_bytes_max = 0;                            // the client's, else the listener's; 0: none
  std::uint32_t sent_unacknowledged = 0;  // PUBLISH with QoS 1, 2 on this connection, not acknowledged
  std::uint64_t sent_unacknowledged_bytes = 0;
  std::uint32_t stranger_bytes = 0;     // counted in the strangers' budget
  std::uint32_t unfinished_bytes = 0;   // counted in the budget of unfinished packets
  MonoTime last_grown{};                // these, for the last time
  std::size_t unread_answer_bytes = 0;  // written since the output went above its limit
  const std::uint64_t serial;           // never reused
  const ListenerPolicy* policy;
  WorkerState* worker = nullptr;  // where it is now
  Session* session = nullptr;
  MonoTime last_received{};
  MonoTime connected_at{};
  ByteBuffer unread;  // received, not yet a whole packet
  std::unique_ptr<PendingConnect> connect;
  std::unique_ptr<AuthExchange> exchange;
  CompactText auth_method;                                     // of CONNECT, for re-authentication
  std::unique_ptr<std::vector<std::string>> incoming_aliases;  // topic of alias n at n - 1; none was set yet
  // QoS 2 packet ids of the session that came on earlier connections: they take no room of this one's Receive
  // Maximum [section 4.9].
  PacketIdSet earlier_ids;
  std::unique_ptr<OutgoingAliases> outgoing_aliases;
  std::unique_ptr<PendingAcks> pending_acks;
  std::uint64_t next_ack_place = 1;
  std::uint32_t pending_pubacks = 0;  // among the pending acknowledgements
  std::uint32_t waits = 0;            // in the list of Journal
  std::unique_ptr<std::vector<PendingSuback>> pending_subacks;
  CommitNumber waits_until = 0;    // the last one it waits for
  std::unique_ptr<Close> leaving;  // DISCONNECT has come, and acknowledgements are still to leave
  CommitNumber opening = 0;        // kOpening: CONNACK waits for it
  std::unique_ptr<protocol::FilterWork> filter_work;  // nothing is read until it is done
  std::uint32_t last_operation = 0;                   // PendingSuback::operation
  std::uint32_t index = 0;                            // in WorkerState::connections
  Timer timer;                                        // CONNECT timeout, then keep alive

 private:
  static void on_timer(void* connection);
  std::unique_ptr<Transport> transport_;
};

}  // namespace nightjar::broker
