// One TCP connection as the core's Transport: reads when epoll says so, gathers output and sends it once per
// turn. An idle connection holds no heap memory beyond this object. Lives on one worker at a time; between
// detach() and attach() it may travel to another thread. Owned by the core until it is retired, then by
// Connections.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "broker/ports.h"
#include "net/address.h"
#include "net/event_loop.h"
#include "net/fd.h"
#include "net/stream_filter.h"

namespace nightjar::net {

class Connections;

class Connection : public broker::Transport, private Pollable {
 public:
  // `socket` is connected and non-blocking; `filter` may be null.
  Connection(Fd socket, const Address& peer, std::unique_ptr<StreamFilter> filter);
  ~Connection() override;

  // From now on no more than `outstanding_bytes_max` bytes are on their way that the peer's kernel has not
  // confirmed.
  void pace(std::uint32_t outstanding_bytes_max);

  void notify_when_drained(std::size_t low_water) override;
  void pause_reading() override;
  void resume_reading() override;
  void detach() override;
  // Joins the Connections of the calling thread.
  void attach(broker::Connection& owner) override;
  void retire(std::unique_ptr<broker::Transport> self) override;
  [[nodiscard]] std::string peer() const override;
  [[nodiscard]] const broker::PeerProof* proof() const override;

 protected:
  [[nodiscard]] int fd() const { return socket_.get(); }
  // By a proxy, which says where the peer really is.
  [[nodiscard]] bool is_spoken_for() const { return filter_ != nullptr && filter_->source() != nullptr; }

 private:
  friend class Connections;
  friend class Roster;

  static constexpr std::size_t kNoDrainWanted = SIZE_MAX;
  static constexpr std::uint32_t kNotListed = UINT32_MAX;
  static constexpr std::uint32_t kNotPolled = UINT32_MAX;

  void join(Connections& home);
  void on_events(std::uint32_t events) override;
  // Work that a turn left for the next one.
  void on_pending();
  // Heavy work that was put off. True: it still waits.
  bool go_on();
  void read_once();
  // True: the filter has put something off.
  bool receive_through_filter(ByteView bytes);
  void deliver_plain();
  void leave_filter_out();
  void end_stream();
  void end(broker::TransportEnd reason);

  bool list_for_flush() override;
  void flush();
  void transform_output();
  void take_output(ByteBuffer& bytes);
  bool send_from(ByteBuffer& bytes);
  [[nodiscard]] std::size_t room_on_the_way() const;
  void fail_output();
  // Null if bytes pass unchanged.
  [[nodiscard]] StreamFilter* filter() const { return is_filter_left_out_ ? nullptr : filter_.get(); }
  [[nodiscard]] bool is_lingering() const { return linger_index_ != kNotListed; }
  [[nodiscard]] bool is_drained() const {
    return drain_low_water_ != kNoDrainWanted && unsent_bytes() <= drain_low_water_;
  }
  void update_mask();

  void on_lingering_events(std::uint32_t events);
  void discard_input();
  void linger_on();

  Connections* home_ = nullptr;  // null while detached
  broker::Connection* owner_ = nullptr;
  std::unique_ptr<StreamFilter> filter_;
  std::size_t drain_low_water_ = kNoDrainWanted;
  Fd socket_;
  std::uint32_t mask_ = kNotPolled;  // what epoll knows
  std::uint32_t dirty_index_ = kNotListed;
  std::uint32_t pending_index_ = kNotListed;
  std::uint32_t put_off_index_ = kNotListed;
  std::uint32_t linger_index_ = kNotListed;
  std::uint32_t discarded_bytes_ = 0;
  std::uint32_t outstanding_bytes_max_ = 0;  // 0: as many as the kernel takes
  bool is_paused_ : 1 = false;
  bool is_write_blocked_ : 1 = false;  // until EPOLLOUT: the kernel's buffer is full, or the pace says so
  bool is_polled_ : 1 = false;         // attached and not ended
  bool is_ended_ : 1 = false;          // the core was told, or needs no telling
  bool is_broken_ : 1 = false;         // nothing can be sent any more
  bool is_peer_closed_ : 1 = false;
  bool is_shut_down_ : 1 = false;
  bool is_finished_ : 1 = false;         // lingering is over
  bool is_stream_over_ : 1 = false;      // the filter takes nothing more
  bool is_filter_left_out_ : 1 = false;  // it is kept only for what it knows about the peer
  PeerAddress peer_;
};

}  // namespace nightjar::net
