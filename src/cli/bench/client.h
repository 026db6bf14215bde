// One MQTT client of a load: a non-blocking socket and the little protocol that its part needs. Lives on one
// LoadThread, which hands it the events of its socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "cli/bench/identity.h"
#include "cli/bench/packet_scan.h"
#include "cli/bench/plan.h"
#include "cli/bench/sequence_check.h"
#include "cli/bench/wire.h"
#include "net/fd.h"

namespace nightjar::cli::bench {

struct Address;
class LoadThread;
class Publisher;

class Client {
 public:
  enum class State : std::uint8_t { kUnused, kDialing, kGreeting, kReady, kClosed };

  // `number` is that of `plan` among the clients of the load.
  Client(LoadThread& thread, const ClientPlan& plan, std::uint64_t number);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const ClientPlan& plan() const { return plan_; }
  [[nodiscard]] bool can_send() const { return state_ == State::kReady && unsent_.empty(); }
  // Of the broker's CONNACK in 5.0.
  [[nodiscard]] std::uint16_t receive_maximum() const { return receive_maximum_; }
  [[nodiscard]] Publisher* publisher() const { return publisher_; }
  void set_publisher(Publisher* publisher) { publisher_ = publisher; }

  // Begins to connect; LoadThread::on_connected or on_refused follow.
  void dial();
  // Asks for the plan's filters; LoadThread::on_subscribed follows when all are granted.
  void subscribe();
  // Shows the broker that it is there, if it is connected.
  void ping();
  // Ends the connection in good order.
  void disconnect();

  void on_events(std::uint32_t events);
  // Takes what waits in the socket, at most one buffer full; true if there may be more.
  bool receive();
  // What the kernel does not take at once is kept and sent later.
  void send(ByteView bytes);

 private:
  struct LargePublish {
    std::uint8_t qos = 0;
    std::uint16_t packet_id = 0;
    bool is_own = false;
    bool is_damaged = false;
    Identity identity{};
  };

  // False if the connection is at its end.
  bool prepare_tcp(const Address& broker);
  void on_writable();
  void begin_wire();
  void send_connect();
  void send_on_socket(ByteView bytes);
  // Unwraps `count` bytes that came, to `into`; how many are left, or nothing if the connection is at its
  // end.
  std::optional<std::size_t> unwrap(std::byte* bytes, std::size_t count, std::byte* into);
  void on_wire_open();
  // The connection is at its end; always false.
  bool fail(std::string_view why);
  void fail_by_system(std::string_view what, int error);
  ByteView skip_rest_of_publish(ByteView in);
  std::size_t parse(ByteView in);
  // False if the connection is at its end.
  bool on_packet(ByteView packet, const ScannedPacket& scanned);
  bool on_connack(ByteView packet);
  bool on_suback(ByteView packet);
  bool on_acknowledgement(ByteView packet, const ScannedPacket& scanned);
  void on_publish(ByteView payload, const ScannedPublish& publish);
  // False if not enough of it is there.
  bool begin_large_publish(ByteView in, const ScannedPacket& packet);
  void reply(mqtt::PacketType type, std::uint16_t packet_id);
  void take(const Identity& identity);
  void request_filters();

  LoadThread& thread_;
  const ClientPlan& plan_;
  std::uint64_t number_;
  net::Fd socket_;
  Publisher* publisher_ = nullptr;
  State state_ = State::kUnused;
  std::uint16_t receive_maximum_ = 65'535;
  std::int64_t dialed_at_ = 0;
  std::uint64_t filters_requested_ = 0;
  std::uint64_t filters_granted_ = 0;
  std::unique_ptr<Wire> wire_;  // null: packets go as they are
  net::SslSessionPtr ticket_;   // of the last connection
  ByteBuffer unsent_;
  ByteBuffer unread_;  // an incomplete packet
  // A large PUBLISH is not gathered: its head was read, and this much of the payload is still to come.
  std::size_t skip_bytes_ = 0;
  LargePublish skipped_;
  std::vector<SequenceTrack> tracks_;  // one for each of the plan's sources
};

}  // namespace nightjar::cli::bench
