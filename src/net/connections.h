// The attached connections of one worker, seen from its turn: who has output to flush, who has work left
// over, and which retired connections still linger. Lives on the worker's thread, which finds it through
// current().
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/spare_buffers.h"
#include "net/connection.h"
#include "net/event_loop.h"
#include "net/handler.h"

namespace nightjar::net {

// How long a retired connection may take to send what it holds, and then to see the peer's end.
inline constexpr Duration kRetireFlushTime = Duration::seconds(5);
inline constexpr Duration kLingerTime = Duration::seconds(2);
// Input that is read and thrown away so that closing sends no RST over a DISCONNECT that is on its way.
inline constexpr std::uint32_t kLingerBytesMax = 256 * 1024;
// Retired connections kept open per worker; the oldest gives way, so a flood of refused clients costs bounded
// files.
inline constexpr std::size_t kLingeringMax = 1024;
// How long the memory of sent output is kept for the next output.
inline constexpr Duration kSparesKept = Duration::seconds(1);
// How often those look who wait for what others hold; with each that gives something back a turn comes
// anyway.
inline constexpr Duration kRoomTick{2};
// How often deadlines of lingering connections are looked at.
inline constexpr Duration kLingerTick{250};

// Connections listed by an index that each of them keeps, so that leaving costs nothing.
class Roster {
 public:
  explicit Roster(std::uint32_t Connection::*index) : index_(index) {}
  void add(Connection& connection);
  void remove(Connection& connection);
  [[nodiscard]] bool empty() const { return listed_.empty(); }
  // Takes everybody off the list and calls them; who is listed meanwhile stays for the next time.
  template <typename Call>
  void run(Call call);
  // Calls one after the other while there `is_time`, and takes them off. The first of whom the call returns
  // true keeps the first place and ends this; then it returns true.
  template <typename IsTime, typename Call>
  bool run_while(IsTime is_time, Call call);

 private:
  void erase_front(std::size_t count);

  std::uint32_t Connection::*index_;
  std::vector<Connection*> listed_;  // null: left
};

class Connections {
 public:
  Connections(EventLoop& loop, Handler& handler);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // Makes this the Connections that attach() joins on the calling thread; null for none.
  static void set_current(Connections* connections);
  static Connections* current();

  // Start of a turn, after the core's: what the last turn left over.
  void begin_turn(MonoTime now);
  // After the core's end of turn: sends gathered output, closes who is done.
  void finish_turn();
  // Memory of sent output that waits for the next output; given back after a second without any.
  [[nodiscard]] std::size_t spare_bytes() const { return spares_.bytes(); }
  // When begin_turn must run at the latest.
  [[nodiscard]] MonoTime next_deadline() const;

  // Open sockets of this worker, retired ones included.
  [[nodiscard]] std::size_t attached() const { return attached_; }
  // Retired connections that are not closed yet.
  [[nodiscard]] std::size_t lingering() const { return lingering_.size(); }
  // Counts closed sockets, so that a listener without free descriptors notices one.
  [[nodiscard]] std::uint64_t closed_count() const { return closed_count_; }

 private:
  friend class Connection;
  struct Lingering {
    std::unique_ptr<Connection> connection;
    MonoTime deadline;
  };

  void go_on_with_what_was_put_off();
  void keep(std::unique_ptr<Connection> connection);
  void set_linger_deadline(const Connection& connection, Duration from_now);
  void drop_lingering(std::size_t index);
  void drop_oldest_lingering();

  EventLoop& loop_;
  Handler& handler_;
  MonoTime now_{};
  MonoTime next_linger_check_ = kNever;
  Roster dirty_{&Connection::dirty_index_};
  SpareBuffers spares_;
  MonoTime spares_kept_until_ = kNever;
  Roster pending_{&Connection::pending_index_};
  Roster put_off_{&Connection::put_off_index_};  // first come, first served
  bool is_put_off_for_room_ = false;             // time alone does not help the first of them
  std::vector<Lingering> lingering_;
  Connection* delivering_ = nullptr;  // null again when it left this worker during the call
  std::size_t attached_ = 0;
  std::uint64_t closed_count_ = 0;
};

}  // namespace nightjar::net
