#include "cli/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <utility>

namespace nightjar::cli {
namespace {

// A broker that takes longer for the TCP handshake or for CONNACK is not there for its users.
constexpr Duration kConnectTimeout = Duration::seconds(10);
// How long the broker may take to close after DISCONNECT; nothing depends on it but a clean end.
constexpr Duration kCloseTimeout = Duration::seconds(1);
// An answer to PINGREQ that takes longer means that the path is dead.
constexpr Duration kPingTimeout = Duration::seconds(10);
// Pauses between attempts double from the first to the last of these.
constexpr Duration kRetryPauseMin = Duration::seconds(1);
constexpr Duration kRetryPauseMax = Duration::seconds(30);

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

int poll_ms(MonoTime until) {
  if (until == kNever) return -1;
  // One more than the difference: the clock's milliseconds are rounded down.
  return static_cast<int>(std::clamp<std::int64_t>((until - now()).ms + 1, 0, 3'600'000));
}

}  // namespace

MonoTime now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::milliseconds>(since).count()};
}

std::int64_t wall_ms() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

StopSignal::StopSignal() {
  const sigset_t signals = stop_signals();
  fd_ = net::Fd{signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)};
}

void StopSignal::arm() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void StopSignal::disarm() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

Client::Client(const ConnectionSettings& settings, std::function<void(const std::string&)> notice)
    : settings_(settings), notice_(std::move(notice)), protocol_(settings), chance_(std::random_device{}()) {}

Outcome<Connected> Client::connect(MonoTime deadline) {
  Duration pause_length = kRetryPauseMin;
  for (;;) {
    Outcome<Connected> connected = connect_once(deadline);
    if (connected || !settings_.reconnect || !connected.error().may_retry) return connected;
    // Spread the attempts of many clients that lost the same broker.
    std::uniform_int_distribution<std::int64_t> spread{pause_length.ms * 3 / 4, pause_length.ms};
    const Duration next{spread(chance_)};
    notice_(fmt::format("{}; trying again in {:.1f} s", connected.error().message,
                        static_cast<double>(next.ms) / 1000));
    NJ_CHECK(pause(next, deadline));
    pause_length = std::min(Duration{pause_length.ms * 2}, kRetryPauseMax);
  }
}

Outcome<bool> Client::pause(Duration length, MonoTime deadline) {
  const MonoTime until = std::min(now() + length, deadline);
  while (now() < until) poll(nullptr, 0, poll_ms(until));
  if (until == deadline) return stop(ExitCode::kTimedOut, "timed out before a connection could be made");
  return true;
}

std::string Client::where() const {
  return settings_.unix_path.empty() ? address_text(settings_.host, settings_.port) : settings_.unix_path;
}

Outcome<net::Fd> Client::dial_broker(Duration timeout) {
  if (!settings_.unix_path.empty()) return dial_unix(settings_.unix_path);
  return dial(settings_.host, settings_.port, timeout);
}

Outcome<Connected> Client::connect_once(MonoTime deadline) {
  const std::string where = this->where();
  const MonoTime until = std::min(deadline, now() + kConnectTimeout);
  tls_.reset();
  socket_.reset();
  stop_signal_.disarm();
  NJ_TRY(socket_, dial_broker(std::max(until - now(), Duration{1})));
  NJ_CHECK(start_tls(until));
  protocol_.start();
  wire_.clear();
  websocket_.reset();
  if (settings_.uses_websocket) {
    websocket_.emplace(address_text(settings_.host, settings_.port),
                       settings_.version == mqtt::Version::k31 ? "mqttv3.1" : "mqtt");
    wire_.append(websocket_->request());
  }
  last_sent_ = now();

  Wake wake = Wake::kSent;
  while (wake == Wake::kSent) {
    NJ_TRY(wake, wait(until));
  }
  if (wake == Wake::kDeadline) {
    return stop(
        ExitCode::kTimedOut,
        fmt::format(
            "{} accepted the connection but did not answer CONNECT within {} s; is it an MQTT broker?", where,
            kConnectTimeout.ms / 1000),
        until != deadline);
  }
  Event event;
  protocol_.next_event(event);
  if (const auto* connected = std::get_if<Connected>(&event)) {
    stop_signal_.arm();
    return *connected;
  }
  if (const auto* refused = std::get_if<Refused>(&event)) {
    return stop(ExitCode::kRefused, fmt::format("{} refused the connection: {}", where, refused->why),
                refused->may_retry);
  }
  const auto* ended = std::get_if<Ended>(&event);
  return stop(ExitCode::kRefused,
              fmt::format("{}: {}", where, ended != nullptr ? ended->why : "unexpected answer"));
}

Outcome<bool> Client::start_tls(MonoTime until) {
  if (!settings_.tls) return true;
  net::TlsClientSettings tls = *settings_.tls;
  tls.host = settings_.host;
  if (settings_.uses_websocket) tls.protocol = "http/1.1";
  auto connected = net::TlsClient::connect(socket_.get(), tls, std::max(until - now(), Duration{1}));
  if (!connected) {
    return stop(ExitCode::kCannotConnect,
                fmt::format("cannot connect to {}: {}", address_text(settings_.host, settings_.port),
                            connected.error().message));
  }
  tls_ = std::move(*connected);
  return true;
}

Outcome<Wake> Client::wait(MonoTime deadline, int input_fd) {
  const bool had_unsent = has_unsent();
  for (;;) {
    NJ_CHECK(flush());
    if (protocol_.has_event()) return Wake::kEvent;
    if (had_unsent && !has_unsent()) return Wake::kSent;
    const MonoTime at = now();
    if (at >= deadline) return Wake::kDeadline;
    NJ_CHECK(keep_alive(at));
    const short socket_waits = to_send().empty() ? POLLIN : POLLIN | POLLOUT;
    std::array<pollfd, 3> waits{
        {{socket_.get(), socket_waits, 0}, {stop_signal_.fd(), POLLIN, 0}, {input_fd, POLLIN, 0}}};
    const int ready = poll(waits.data(), waits.size(), poll_ms(std::min(deadline, next_keep_alive())));
    if (ready < 0 && errno != EINTR) return lost(std::strerror(errno));
    if (ready <= 0) continue;
    if ((waits[1].revents & POLLIN) != 0) return Wake::kStopSignal;
    if ((waits[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) NJ_CHECK(read_socket());
    if (!protocol_.has_event() && waits[2].revents != 0) return Wake::kInput;
  }
}

// Until the handshake of a WebSocket is done, packets wait.
ByteBuffer& Client::to_send() {
  if (!websocket_) return protocol_.output();
  if (ByteBuffer& packets = protocol_.output(); websocket_->is_open() && !packets.empty()) {
    websocket_->send(packets.view(), wire_);
    packets.clear();
  }
  return wire_;
}

Outcome<bool> Client::flush() {
  ByteBuffer& output = to_send();
  while (!output.empty()) {
    const ssize_t sent =
        tls_ ? tls_->write(output.view()) : send(socket_.get(), output.data(), output.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return true;
    // What the broker said before it closed is read first; the read reports the end.
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
      output.clear();
      return true;
    }
    if (sent < 0) return lost(std::strerror(errno));
    output.consume(static_cast<std::size_t>(sent));
    last_sent_ = now();
  }
  return true;
}

Outcome<bool> Client::read_socket() {
  do {
    const ssize_t got =
        tls_ ? tls_->read(read_buffer_) : recv(socket_.get(), read_buffer_.data(), read_buffer_.size(), 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (got < 0) return lost(std::strerror(errno));
    if (got == 0) return lost("the broker closed the connection");
    auto size = static_cast<std::size_t>(got);
    if (websocket_) {
      const auto plain = websocket_->receive(std::span(read_buffer_).first(size), wire_);
      if (!plain) return stop(ExitCode::kRefused, fmt::format("{}: {}", where(), plain.error().message));
      size = *plain;
    }
    protocol_.receive({read_buffer_.data(), size});
  } while (tls_ && tls_->has_pending());
  return true;
}

MonoTime Client::next_keep_alive() const {
  if (!protocol_.is_connected() || protocol_.keep_alive_s() == 0) return kNever;
  if (protocol_.awaits_pingresp()) return pinged_at_ + kPingTimeout;
  return last_sent_ + Duration::seconds(protocol_.keep_alive_s());
}

Outcome<bool> Client::keep_alive(MonoTime at) {
  if (at < next_keep_alive()) return true;
  if (protocol_.awaits_pingresp()) return lost("no answer to PINGREQ");
  protocol_.ping();
  pinged_at_ = at;
  return flush();
}

void Client::end_by_signal() {
  disconnect();
  stop_signal_.disarm();
}

void Client::disconnect() {
  if (!protocol_.is_connected()) return;
  protocol_.disconnect(mqtt::ReasonCode::kSuccess);
  const MonoTime until = now() + kCloseTimeout;
  // Closing with unread bytes would reset the connection and could destroy what is still on its way.
  bool is_half_closed = false;
  while (now() < until) {
    if (!flush()) return;
    if (!has_unsent() && !std::exchange(is_half_closed, true)) {
      if (tls_) tls_->close_notify();
      shutdown(socket_.get(), SHUT_WR);
    }
    const short waits_for = is_half_closed ? POLLIN : POLLIN | POLLOUT;
    pollfd waits{socket_.get(), waits_for, 0};
    if (poll(&waits, 1, poll_ms(until)) <= 0) continue;
    if ((waits.revents & ~POLLOUT) == 0) continue;
    if (recv(socket_.get(), read_buffer_.data(), read_buffer_.size(), 0) <= 0) break;
  }
  socket_.reset();
}

tl::unexpected<Failure> Client::lost(const std::string& why) {
  const std::string where = this->where();
  if (protocol_.is_connected()) {
    return stop(ExitCode::kConnectionLost, fmt::format("lost the connection to {}: {}", where, why), true);
  }
  return stop(ExitCode::kConnectionLost,
              fmt::format("lost the connection to {} before it answered CONNECT: {}", where, why), true);
}

}  // namespace nightjar::cli
