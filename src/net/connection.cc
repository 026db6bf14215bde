#include "net/connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/connections.h"

namespace nightjar::net {
namespace {

// Of a large packet, in one turn: some 50 µs.
constexpr std::size_t kRestBytesMax = 256 * 1024;

// The kernel sets aside no less than 4.5 KiB for output, and EPOLLOUT would spin with less than two thirds of
// that.
constexpr std::uint32_t kOutstandingBytesMin = 4 * 1024;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

Connection::Connection(Fd socket, const Address& peer, std::unique_ptr<StreamFilter> filter)
    : filter_(std::move(filter)), socket_(std::move(socket)), peer_(peer) {}

Connection::~Connection() {
  if (home_ == nullptr) return;
  ++home_->closed_count_;
  detach();
}

std::string Connection::peer() const { return (is_spoken_for() ? *filter_->source() : peer_).text(); }

const broker::PeerProof* Connection::proof() const { return filter_ != nullptr ? filter_->proof() : nullptr; }

// ---- moving ----

void Connection::attach(broker::Connection& owner) {
  join(*Connections::current());
  owner_ = &owner;
  is_polled_ = true;
  update_mask();
  if (unsent_bytes() != 0) flush_later();
  home_->pending_.add(*this);  // whatever waited during the move is looked at in the next turn
}

void Connection::join(Connections& home) {
  home_ = &home;
  spares_ = &home.spares_;
  ++home.attached_;
}

void Connection::detach() {
  if (home_ == nullptr) return;
  --home_->attached_;
  if (mask_ != kNotPolled) home_->loop_.remove(socket_.get(), *this);
  mask_ = kNotPolled;
  is_polled_ = false;
  home_->dirty_.remove(*this);
  is_flush_due_ = false;
  home_->pending_.remove(*this);
  home_->put_off_.remove(*this);
  if (home_->delivering_ == this) home_->delivering_ = nullptr;
  home_ = nullptr;
  spares_ = nullptr;
  owner_ = nullptr;
}

// ---- input ----

void Connection::on_events(std::uint32_t events) {
  if (is_lingering()) return on_lingering_events(events);
  if ((events & EPOLLOUT) != 0) {
    is_write_blocked_ = false;
    flush();
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  if (!is_paused_) return read_once();
  // Without reading there is nothing that would clear this event, so it ends the connection at once.
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) end(broker::TransportEnd::kError);
}

void Connection::on_pending() {
  if (is_ended_) return;
  if (is_broken_) return end(broker::TransportEnd::kError);
  if (is_drained()) {
    drain_low_water_ = kNoDrainWanted;
    Connections* const home = home_;
    home->delivering_ = this;
    home->handler_.on_drained(*owner_);
    if (std::exchange(home->delivering_, nullptr) != this) return;
  }
  if (filter() == nullptr) return;
  if (filter_->has_put_off()) return home_->put_off_.add(*this);  // it came from another worker
  deliver_plain();
}

bool Connection::go_on() { return !is_ended_ && receive_through_filter({}); }

void Connection::read_once() {
  if (is_stream_over_) return;
  StreamFilter* const filter = this->filter();
  const std::span<std::byte> rest =
      filter == nullptr ? home_->handler_.room_for_rest(*owner_) : std::span<std::byte>{};
  const std::span<std::byte> buffer =
      rest.empty() ? home_->loop_.read_buffer() : rest.first(std::min(rest.size(), kRestBytesMax));
  const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count == 0) return end(broker::TransportEnd::kPeerClosed);
  if (count < 0) {
    if (!would_block(errno) && errno != EINTR) end(broker::TransportEnd::kError);
    return;
  }
  const ByteView bytes = buffer.first(static_cast<std::size_t>(count));
  if (!rest.empty()) return home_->handler_.on_rest(*owner_, bytes.size());
  if (filter == nullptr) return home_->handler_.on_bytes(*owner_, bytes);
  if (receive_through_filter(bytes)) home_->put_off_.add(*this);
}

bool Connection::receive_through_filter(ByteView bytes) {
  is_stream_over_ = !filter_->receive(bytes);
  transformed_bytes_ = static_cast<std::uint32_t>(filter_->wire().size());
  if (transformed_bytes_ != 0) flush_later();
  if (filter_->has_put_off()) return true;
  deliver_plain();
  return false;
}

void Connection::deliver_plain() {
  Connections* const home = home_;
  std::size_t delivered = 0;
  while (!is_paused_ && filter_->has_plain()) {
    if (delivered >= kReadBufferBytes) return home->pending_.add(*this);
    const ByteView bytes = filter_->next_plain();
    delivered += bytes.size();
    home->delivering_ = this;
    home->handler_.on_bytes(*owner_, bytes);
    if (std::exchange(home->delivering_, nullptr) != this) return;
  }
  if (is_paused_) return;
  if (is_stream_over_) return end_stream();
  if (filter_->is_transparent() && filter_->wire().empty()) leave_filter_out();
}

void Connection::leave_filter_out() {
  if (filter_->proof() == nullptr && filter_->source() == nullptr) {
    filter_.reset();
  } else {
    is_filter_left_out_ = true;
  }
}

// The filter has the last words, unlike at the end of the connection itself.
void Connection::end_stream() {
  if (is_ended_) return;
  is_ended_ = true;
  is_polled_ = false;
  update_mask();
  home_->handler_.on_closed(*owner_, broker::TransportEnd::kStreamOver);
}

void Connection::end(broker::TransportEnd reason) {
  if (is_ended_) return;
  is_ended_ = true;
  if (reason == broker::TransportEnd::kPeerClosed) {
    is_peer_closed_ = true;
  } else {
    is_broken_ = true;
  }
  is_polled_ = false;
  update_mask();
  home_->handler_.on_closed(*owner_, reason);
}

void Connection::pause_reading() {
  is_paused_ = true;
  update_mask();
}

void Connection::resume_reading() {
  is_paused_ = false;
  update_mask();
  if (home_ != nullptr && filter() != nullptr) home_->pending_.add(*this);
}

// ---- output ----

bool Connection::list_for_flush() {
  if (home_ == nullptr) return false;
  home_->dirty_.add(*this);
  return true;
}

void Connection::notify_when_drained(std::size_t low_water) {
  drain_low_water_ = low_water;
  if (home_ != nullptr && is_drained()) home_->pending_.add(*this);
}

void Connection::flush() {
  if (is_broken_) return fail_output();
  StreamFilter* const filter = this->filter();
  if (filter != nullptr && !output_.empty()) transform_output();
  if (!is_write_blocked_) is_write_blocked_ = !send_from(filter != nullptr ? filter->wire() : output_);
  if (filter != nullptr) transformed_bytes_ = static_cast<std::uint32_t>(filter->wire().size());
  if (is_broken_) return fail_output();
  update_mask();
  if (is_drained()) home_->pending_.add(*this);
}

void Connection::transform_output() {
  if (ByteBuffer& wire = filter_->wire(); wire.capacity() == 0) home_->spares_.lend(wire);
  filter_->send(output_.view());
  take_output(output_);
}

// All of `bytes` has gone: their memory serves the next connection.
void Connection::take_output(ByteBuffer& bytes) {
  bytes.clear();
  home_->spares_.take_back(bytes);
}

// The kernel's own bound counts its overhead, and a piece may go beyond it, so it would not do alone. It is
// set for the sake of EPOLLOUT, which comes when no more than two thirds of it are used: with three quarters
// of ours that is at half of ours, so never while ours is reached, and never for the sake of a few bytes.
void Connection::pace(std::uint32_t outstanding_bytes_max) {
  outstanding_bytes_max_ = std::max(outstanding_bytes_max, kOutstandingBytesMin);
  const int size = static_cast<int>(outstanding_bytes_max_ / 8 * 3);  // the kernel doubles it
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

std::size_t Connection::room_on_the_way() const {
  if (outstanding_bytes_max_ == 0) return SIZE_MAX;
  int outstanding = 0;
  if (::ioctl(socket_.get(), SIOCOUTQ, &outstanding) != 0) return SIZE_MAX;
  const auto bytes = static_cast<std::uint32_t>(outstanding);
  return bytes < outstanding_bytes_max_ ? outstanding_bytes_max_ - bytes : 0;
}

// False: no more may be handed to the kernel for now.
bool Connection::send_from(ByteBuffer& bytes) {
  while (!bytes.empty()) {
    const std::size_t room = room_on_the_way();
    if (room == 0) return false;
    const ssize_t sent = ::send(socket_.get(), bytes.data(), std::min(bytes.size(), room), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      is_broken_ = !would_block(errno);
      return false;
    }
    const bool is_partial = static_cast<std::size_t>(sent) < bytes.size();
    bytes.consume(static_cast<std::size_t>(sent));
    if (is_partial) return false;
  }
  take_output(bytes);
  return true;
}

void Connection::fail_output() {
  output_.release();
  if (filter() != nullptr) filter_->wire().release();
  transformed_bytes_ = 0;
  is_write_blocked_ = false;
  home_->pending_.add(*this);
}

void Connection::update_mask() {
  if (home_ == nullptr) return;
  std::uint32_t wanted = kNotPolled;
  if (is_polled_) {
    const bool reads = is_lingering() ? !is_peer_closed_ : !is_paused_;
    wanted = (reads ? std::uint32_t{EPOLLIN} : 0) | (is_write_blocked_ ? std::uint32_t{EPOLLOUT} : 0);
  }
  if (wanted == mask_) return;
  if (wanted == kNotPolled) {
    home_->loop_.remove(socket_.get(), *this);
  } else if (mask_ != kNotPolled) {
    home_->loop_.change(socket_.get(), wanted, *this);
  } else if (!home_->loop_.add(socket_.get(), wanted, *this)) {
    wanted = kNotPolled;
    is_broken_ = true;
    home_->pending_.add(*this);
  }
  mask_ = wanted;
}

// ---- the end ----

void Connection::retire(std::unique_ptr<broker::Transport> self) {
  // `self` is this object under the core's name for it.
  std::unique_ptr<Connection> connection{static_cast<Connection*>(self.release())};
  if (home_ == nullptr) {
    if (Connections::current() == nullptr) return;  // after the last turn: nobody is left to send for it
    join(*Connections::current());
  }
  Connections& home = *home_;
  if (home.delivering_ == this) home.delivering_ = nullptr;
  owner_ = nullptr;
  is_ended_ = true;
  drain_low_water_ = kNoDrainWanted;
  if (filter() != nullptr) {
    if (!output_.empty()) filter_->send(output_.view());
    filter_->finish();
    output_.release();
    transformed_bytes_ = static_cast<std::uint32_t>(filter_->wire().size());
  }
  home.keep(std::move(connection));
  is_polled_ = true;
  update_mask();
  flush_later();
}

void Connection::on_lingering_events(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    is_write_blocked_ = false;
    flush();
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) discard_input();
  linger_on();
}

void Connection::discard_input() {
  const std::span<std::byte> buffer = home_->loop_.read_buffer();
  const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count > 0) {
    discarded_bytes_ += static_cast<std::uint32_t>(count);
  } else if (count == 0) {
    is_broken_ = is_broken_ || is_peer_closed_;  // again: both directions are gone
    is_peer_closed_ = true;
    update_mask();
  } else if (!would_block(errno) && errno != EINTR) {
    is_broken_ = true;
  }
}

// One step towards close: sent everything, told the peer, heard the peer.
void Connection::linger_on() {
  if (is_finished_) return;
  if (!is_broken_ && !is_shut_down_ && unsent_bytes() == 0) {
    ::shutdown(socket_.get(), SHUT_WR);
    is_shut_down_ = true;
    home_->set_linger_deadline(*this, kLingerTime);
  }
  is_finished_ = is_broken_ || discarded_bytes_ > kLingerBytesMax || (is_shut_down_ && is_peer_closed_);
  if (is_finished_) home_->pending_.add(*this);
}

}  // namespace nightjar::net
