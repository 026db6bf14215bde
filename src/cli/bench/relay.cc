#include "cli/bench/relay.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "cli/bench/packet_scan.h"
#include "mqtt/reader.h"
#include "mqtt/topic.h"
#include "mqtt/writer.h"
#include "net/fd.h"

namespace nightjar::cli::bench {
namespace {

using mqtt::PacketType;

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kEventsPerTurn = 256;
constexpr std::size_t kPacketBytesMax = 256 * 1024 * 1024;
// A source is not read while one of its sinks has so much unsent.
constexpr std::size_t kUnsentBytesMax = 8 * 1024 * 1024;

struct Peer {
  net::Fd socket;
  mqtt::Version version = mqtt::Version::k311;
  std::vector<std::string> filters;
  ByteBuffer unread;  // of the handshake; later an incomplete packet, where packets must stay whole
  ByteBuffer unsent;
  std::vector<Peer*> sinks;  // once it is a source
  std::vector<Peer*> sources;
  bool is_source = false;
  bool is_shared = false;  // as a source: one of the sinks has other sources, too
  // Of a source that is not shared, whose packets all have the size of the first one.
  std::size_t packet_bytes = 0;
  std::uint64_t copied = 0;
  // Of one that was not: what the packet still lacks in the middle of which another source came, and those
  // that came, who wait for its end.
  std::size_t packet_left = 0;
  std::vector<Peer*> waiting;
  std::size_t waits_for = 0;  // as one of these: so many sources
  bool is_dirty = false;      // unsent was filled in this turn
  bool is_blocked = false;    // the kernel takes no more
  std::uint32_t mask = EPOLLIN;
};

class Relay {
 public:
  bool open(const RelayOptions& options);
  void run();

 private:
  void accept_all();
  void on_readable(Peer& peer);
  // Bytes before the first PUBLISH; returns what is left for copying.
  bool handshake(Peer& peer, ByteView bytes);
  bool on_packet(Peer& peer, const mqtt::Frame& frame);
  void become_source(Peer& peer, ByteView topic, std::size_t packet_bytes);
  void share(Peer& source, Peer& newcomer);
  void copy(Peer& source, ByteView bytes);
  void copy_packets(Peer& source, ByteView bytes);
  void end_packet(Peer& source);
  void give(Peer& sink, ByteView bytes);
  void flush(Peer& peer);
  void update_mask(Peer& peer);
  void close(Peer& peer);

  net::Fd epoll_;
  net::Fd listener_;
  net::Fd signals_;
  std::unordered_map<Peer*, std::unique_ptr<Peer>> peers_;
  std::vector<Peer*> dirty_;
  std::vector<std::unique_ptr<Peer>> closed_;  // in this turn: their events may still be in the list
  std::array<std::byte, kReadBytes> buffer_{};
};

bool Relay::open(const RelayOptions& options) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = net::Fd{signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
  epoll_ = net::Fd{epoll_create1(EPOLL_CLOEXEC)};
  listener_ = net::Fd{socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const int on = 1;
  setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(options.port)};
  if (inet_pton(AF_INET, options.host.c_str(), &address.sin_addr) != 1) return errno = EINVAL, false;
  if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
  if (listen(listener_.get(), 4096) != 0) return false;
  for (const int fd : {listener_.get(), signals_.get()}) {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = fd == listener_.get() ? &listener_ : &signals_}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }
  return true;
}

void Relay::run() {
  std::array<epoll_event, kEventsPerTurn> events;
  for (;;) {
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr == &signals_) return;
      if (event.data.ptr == &listener_) {
        accept_all();
        continue;
      }
      auto& peer = *static_cast<Peer*>(event.data.ptr);
      if (!peer.socket) continue;
      if ((event.events & EPOLLOUT) != 0) {
        peer.is_blocked = false;
        flush(peer);
      }
      if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) on_readable(peer);
    }
    for (Peer* peer : dirty_) {
      peer->is_dirty = false;
      if (peer->socket && !peer->is_blocked) flush(*peer);
    }
    dirty_.clear();
    closed_.clear();
  }
}

void Relay::accept_all() {
  for (;;) {
    net::Fd socket{accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (!socket) return;
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto peer = std::make_unique<Peer>();
    peer->socket = std::move(socket);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = peer.get()}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, peer->socket.get(), &event);
    peers_.emplace(peer.get(), std::move(peer));
  }
}

void Relay::on_readable(Peer& peer) {
  const ssize_t count = recv(peer.socket.get(), buffer_.data(), buffer_.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return close(peer);
  const ByteView bytes{buffer_.data(), static_cast<std::size_t>(count)};
  if (peer.is_source) return copy(peer, bytes);
  if (!handshake(peer, bytes)) close(peer);
}

// ---- who gets whose bytes ----

bool Relay::handshake(Peer& peer, ByteView bytes) {
  peer.unread.append(bytes);
  while (!peer.is_source) {
    const mqtt::FrameResult next = mqtt::next_frame(peer.unread.view(), kPacketBytesMax, peer.version);
    if (next.state == mqtt::FrameState::kInvalid) return false;
    if (next.state == mqtt::FrameState::kNeedMore) return true;
    if (next.frame.type == PacketType::kPublish) {
      const auto publish = mqtt::read_publish(next.frame, peer.version);
      if (!publish) return false;
      become_source(peer, as_bytes(publish->topic), next.frame.size);
      break;
    }
    if (!on_packet(peer, next.frame)) return false;
    peer.unread.consume(next.frame.size);
  }
  ByteBuffer rest = std::move(peer.unread);
  peer.unread = ByteBuffer{};
  copy(peer, rest.view());
  return true;
}

bool Relay::on_packet(Peer& peer, const mqtt::Frame& frame) {
  if (frame.type == PacketType::kConnect) {
    if (!mqtt::read_connect(frame, peer.version)) return false;
    mqtt::write_connack(peer.unsent, peer.version, false, mqtt::ReasonCode::kSuccess, {});
    flush(peer);
    return true;
  }
  if (frame.type != PacketType::kSubscribe) return frame.type != PacketType::kDisconnect;
  const auto subscribe = mqtt::read_subscribe(frame, peer.version);
  if (!subscribe) return false;
  for (const mqtt::SubscriptionRequest& each : subscribe->requests) peer.filters.emplace_back(each.filter);
  const std::vector<mqtt::ReasonCode> granted(subscribe->requests.size(), mqtt::ReasonCode::kSuccess);
  mqtt::write_suback(peer.unsent, peer.version, subscribe->packet_id, granted);
  flush(peer);
  return true;
}

void Relay::become_source(Peer& peer, ByteView topic, std::size_t packet_bytes) {
  peer.is_source = true;
  peer.packet_bytes = packet_bytes;
  for (const auto& [sink, owner] : peers_) {
    const bool is_match =
        std::any_of(sink->filters.begin(), sink->filters.end(),
                    [&](const std::string& filter) { return mqtt::matches(filter, as_text(topic)); });
    if (!is_match) continue;
    peer.sinks.push_back(sink);
    sink->sources.push_back(&peer);
    if (sink->sources.size() > 1) {
      for (Peer* source : sink->sources) share(*source, peer);
    }
  }
}

void Relay::share(Peer& source, Peer& newcomer) {
  if (!std::exchange(source.is_shared, true) && source.copied % source.packet_bytes != 0)
    source.packet_left = source.packet_bytes - source.copied % source.packet_bytes;
  const bool is_waiting =
      std::find(source.waiting.begin(), source.waiting.end(), &newcomer) != source.waiting.end();
  if (source.packet_left == 0 || is_waiting) return;
  source.waiting.push_back(&newcomer);
  ++newcomer.waits_for;
}

// ---- bytes ----

void Relay::copy(Peer& source, ByteView bytes) {
  if (source.packet_left != 0) {
    const ByteView rest = bytes.first(std::min(source.packet_left, bytes.size()));
    for (Peer* sink : source.sinks) give(*sink, rest);
    source.packet_left -= rest.size();
    if (source.packet_left != 0) return;
    end_packet(source);
    bytes = bytes.subspan(rest.size());
  }
  if (source.is_shared) return copy_packets(source, bytes);
  source.copied += bytes.size();
  for (Peer* sink : source.sinks) give(*sink, bytes);
}

// Where several sources meet in a sink, none may end inside a packet.
void Relay::copy_packets(Peer& source, ByteView bytes) {
  if (!source.unread.empty()) {
    source.unread.append(bytes);
    bytes = source.unread.view();
  }
  std::size_t whole = 0;
  while (source.waits_for == 0) {
    const ScannedPacket packet = scan_packet(bytes.subspan(whole));
    if (packet.state != ScanState::kComplete) break;
    whole += packet.size;
  }
  for (Peer* sink : source.sinks) give(*sink, bytes.first(whole));
  if (source.unread.empty()) {
    source.unread.append(bytes.subspan(whole));
  } else {
    source.unread.consume(whole);
  }
}

void Relay::end_packet(Peer& source) {
  source.packet_left = 0;
  for (Peer* newcomer : std::exchange(source.waiting, {})) {
    if (--newcomer->waits_for == 0) copy_packets(*newcomer, {});
  }
}

void Relay::give(Peer& sink, ByteView bytes) {
  // The bytes of its only source need not be gathered first.
  if (sink.unsent.empty() && !sink.is_blocked && sink.sources.size() == 1) {
    const ssize_t sent = send(sink.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(bytes.size())) return;
    if (sent > 0) bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  sink.unsent.append(bytes);
  if (!std::exchange(sink.is_dirty, true)) dirty_.push_back(&sink);
}

void Relay::flush(Peer& peer) {
  if (!peer.unsent.empty()) {
    const ssize_t sent = send(peer.socket.get(), peer.unsent.view().data(), peer.unsent.size(), MSG_NOSIGNAL);
    if (sent > 0) peer.unsent.consume(static_cast<std::size_t>(sent));
    peer.is_blocked = !peer.unsent.empty();
  }
  update_mask(peer);
  for (Peer* source : peer.sources) update_mask(*source);
}

void Relay::update_mask(Peer& peer) {
  const bool is_paused = std::any_of(peer.sinks.begin(), peer.sinks.end(),
                                     [](const Peer* sink) { return sink->unsent.size() > kUnsentBytesMax; });
  const std::uint32_t mask = (is_paused ? 0U : EPOLLIN) | (peer.is_blocked ? EPOLLOUT : 0U);
  if (mask == peer.mask || !peer.socket) return;
  peer.mask = mask;
  epoll_event event{.events = mask, .data = {.ptr = &peer}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, peer.socket.get(), &event);
}

void Relay::close(Peer& peer) {
  for (Peer* sink : peer.sinks) std::erase(sink->sources, &peer);
  for (Peer* source : peer.sources) std::erase(source->sinks, &peer);
  for (const auto& [source, owner] : peers_) std::erase(source->waiting, &peer);
  end_packet(peer);
  peer.socket.reset();
  std::erase(dirty_, &peer);
  const auto owned = peers_.find(&peer);
  closed_.push_back(std::move(owned->second));
  peers_.erase(owned);
}

}  // namespace

int run_relay(const RelayOptions& options) {
  const auto relay = std::make_unique<Relay>();
  if (!relay->open(options)) {
    fmt::print(stderr, "nightjar bench relay: cannot listen on {}:{}: {}\n", options.host, options.port,
               std::strerror(errno));
    return 1;
  }
  relay->run();
  return 0;
}

}  // namespace nightjar::cli::bench
