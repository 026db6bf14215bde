// One random client of the simulator, with its own half of every promise: what it sent, what was
// acknowledged, what it must send again, what it must not get.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/model.h"
#include "tests/support/client.h"
#include "tests/support/world.h"

namespace nightjar::sim {

// What a connection's will may come to.
struct WillRecord {
  std::size_t publication = 0;
  int least = 0;
  int most = 1;
};

// What all actors share.
struct Stage {
  testing::World& world;
  Model& model;
  Tick now = 0;
  Tick settled_at = 0;  // last time that nothing moved any more
  std::vector<WillRecord> wills;
};

struct Role {
  std::string id;
  mqtt::Version version = mqtt::Version::k5;
  std::uint32_t expiry_s = 0;         // 0: clean sessions
  bool is_watcher = false;            // always connected, always reading, subscribed to everything
  bool is_member = false;             // of the shared group, and never starts clean
  bool is_anchor = false;             // a member that never unsubscribes
  bool is_slow = false;               // reads seldom, over a small link
  std::uint16_t receive_maximum = 0;  // 0: the default
};

class Actor {
 public:
  Actor(Stage& stage, std::size_t number, Role role);

  // One random thing a client does.
  void act();
  // Reads everything that is there.
  void read_all();
  // The end of a seed: connected, and nothing left to do but read.
  void come_back();
  // The opposite: gone, and its session with what was sent to it stays.
  void stay_away();
  [[nodiscard]] bool is_done() const { return state_ == State::kOn && outgoing_.empty(); }
  void check_at_end();

  // What it still waits for.
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] const Role& role() const { return role_; }
  [[nodiscard]] Tick shared_since() const { return shared_since_; }

 private:
  enum class State { kOff, kConnecting, kOn };
  struct Outgoing {
    std::uint16_t packet_id;
    std::size_t publication;
    bool is_released;  // PUBREC seen
  };

  // A CONNECT without its CONNACK may have begun a new session that this client knows nothing of.
  [[nodiscard]] bool may_lose_session() const {
    return !role_.is_member && (role_.version == mqtt::Version::k5 || role_.expiry_s == 0);
  }
  void connect(bool wants_clean);
  void lose_link();
  void disconnect();
  void publish();
  void subscribe();
  void subscribe_to(const std::string& filter, mqtt::Qos qos);
  void unsubscribe();
  void ping();
  bool read_one();
  void on_connack();
  void on_publish(const testing::Received& message);
  void on_ack(const testing::Client::Ack& ack);
  void on_suback(const testing::Client::SubAnswer& answer);
  void on_unsuback(const testing::Client::SubAnswer& answer);
  void check_session_present();
  void send_again();
  void close_will(bool is_graceful, bool session_ends);
  void expect_delayed_will();
  void check_delayed_will();
  void forget_connection();
  std::size_t send_publication(const std::string& topic, mqtt::Qos qos, bool retain);

  Stage& stage_;
  std::size_t number_;
  Role role_;
  testing::Client client_;
  State state_ = State::kOff;
  bool has_session_ = false;  // a CONNACK was seen, and the session should still be there
  bool must_start_clean_ = false;
  bool asked_clean_ = false;
  MonoTime left_at_{};
  Tick ghost_at_ = 0;       // a link left behind before its CONNACK: its CONNECT may still be served
  bool has_ghost_ = false;  // it may take over the present connection
  Tick graceful_at_ = 0;    // a DISCONNECT that may not have been read yet
  Epoch epoch_;
  std::vector<Outgoing> outgoing_;
  std::map<std::uint16_t, std::size_t> subscribing_;  // packet id -> place in the epoch's subscriptions
  std::map<std::uint16_t, std::string> unsubscribing_;
  std::deque<Tick> pings_;
  std::vector<std::size_t> unconfirmed_;  // QoS 0 publications of this connection
  bool has_will_ = false;
  bool is_will_armed_ = false;
  std::uint32_t will_delay_s_ = 0;
  // The will of the last connection, if it waits for its delay: who resumes the session before `due` calls it
  // off.
  struct DelayedWill {
    std::size_t record;
    MonoTime due;
  };
  std::optional<DelayedWill> delayed_will_;
  Tick shared_since_ = kOpen;
};

}  // namespace nightjar::sim
