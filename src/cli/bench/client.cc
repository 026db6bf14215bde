#include "cli/bench/client.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "cli/bench/load_thread.h"
#include "mqtt/properties.h"
#include "mqtt/reader.h"
#include "mqtt/writer.h"

namespace nightjar::cli::bench {
namespace {

using mqtt::PacketType;
using mqtt::Version;

// Filters in one SUBSCRIBE, and how many of those may wait for their SUBACK.
constexpr std::uint64_t kFiltersPerPacket = 100;
constexpr std::uint64_t kFiltersAhead = 4 * kFiltersPerPacket;
// Of longer payloads, this much of every piece is compared with the pattern.
constexpr std::size_t kComparedBytes = 4 * 1024;
constexpr std::string_view kMalformed = "the broker sent a malformed packet";
constexpr std::size_t kPacketBytesMax = 256 * 1024 * 1024;

bool is_pattern(ByteView part, const std::byte* pattern) {
  return part.empty() || std::memcmp(part.data(), pattern, std::min(part.size(), kComparedBytes)) == 0;
}

// Charges the CPU time of its own life to TLS, if there is any.
class TlsTime {
 public:
  TlsTime(const Wire& wire, ThreadCounters& counters)
      : counters_(wire.tls() != nullptr ? &counters : nullptr),
        started_(counters_ != nullptr ? thread_cpu_ns() : 0) {}
  ~TlsTime() {
    if (counters_ != nullptr) counters_->tls_ns.add(static_cast<std::uint64_t>(thread_cpu_ns() - started_));
  }
  TlsTime(const TlsTime&) = delete;
  TlsTime& operator=(const TlsTime&) = delete;

 private:
  ThreadCounters* counters_;
  Nanoseconds started_;
};

}  // namespace

Client::Client(LoadThread& thread, const ClientPlan& plan, std::uint64_t number)
    : thread_(thread), plan_(plan), number_(number), tracks_(plan.sources.count) {}

// ---- connecting ----

void Client::dial() {
  const Address& broker = thread_.traffic().settings.broker;
  if (state_ != State::kDialing) dialed_at_ = now_ns();
  state_ = State::kDialing;
  socket_ = net::Fd{socket(broker.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!socket_) return fail_by_system("cannot make a socket", errno);
  if (broker.storage.ss_family != AF_UNIX && !prepare_tcp(broker)) return;
  const int done = connect(socket_.get(), reinterpret_cast<const sockaddr*>(&broker.storage), broker.size);
  // The queue of a Unix socket is full; one of TCP would have the client wait.
  if (done != 0 && errno == EAGAIN) return thread_.dial_later(*this);
  if (done != 0 && errno != EINPROGRESS) return fail_by_system("cannot connect", errno);
  if (!thread_.watch(socket_.get(), *this)) fail_by_system("cannot watch a socket", errno);
}

bool Client::prepare_tcp(const Address& broker) {
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto source = source_address(broker, number_);
  if (!source) return true;
  setsockopt(socket_.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&*source), sizeof *source) == 0) return true;
  fail_by_system("cannot use a further loopback address", errno);
  return false;
}

void Client::fail_by_system(std::string_view what, int error) {
  fail(fmt::format("{}: {}", what, std::strerror(error)));
}

bool Client::fail(std::string_view why) {
  const bool was_ready = state_ == State::kReady;
  state_ = State::kClosed;
  socket_.reset();
  wire_.reset();
  unsent_.release();
  unread_.release();
  thread_.traffic().report(fmt::format("{}: {}", plan_.id, why));
  if (was_ready) {
    thread_.count().lost_connections.add(1);
    thread_.on_lost();
  } else {
    thread_.on_refused();
  }
  return false;
}

void Client::on_writable() {
  if (state_ == State::kDialing) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail_by_system("cannot connect", error);
    state_ = State::kGreeting;
    return thread_.traffic().settings.wire.is_plain() ? send_connect() : begin_wire();
  }
  if (unsent_.empty()) return;
  const ssize_t sent = ::send(socket_.get(), unsent_.view().data(), unsent_.size(), MSG_NOSIGNAL);
  if (sent > 0) {
    thread_.count().bytes_out.add(static_cast<std::uint64_t>(sent));
    unsent_.consume(static_cast<std::size_t>(sent));
  }
  if (unsent_.empty() && publisher_ != nullptr) thread_.list(*publisher_);
}

void Client::send_connect() {
  const LoadSettings& settings = thread_.traffic().settings;
  ByteBuffer properties;
  const bool keeps_session = plan_.keeps_session && !thread_.cleans_sessions();
  if (settings.version == Version::k5 && keeps_session) {
    mqtt::PropertyWriter(properties).u32(mqtt::PropertyId::kSessionExpiryInterval, 3600);
  }
  ByteBuffer packet;
  mqtt::write_connect(packet, {.version = settings.version,
                               .clean_start = !keeps_session,
                               .keep_alive_s = settings.keep_alive_s,
                               .client_id = plan_.id,
                               .has_user_name = !settings.user_name.empty(),
                               .user_name = settings.user_name,
                               .has_password = !settings.password.empty(),
                               .password = as_bytes(settings.password),
                               .properties = properties.view()});
  send(packet.view());
}

bool Client::on_connack(ByteView packet) {
  const Version version = thread_.traffic().settings.version;
  const auto framed = mqtt::next_frame(packet, kPacketBytesMax, version);
  const auto connack = framed.state == mqtt::FrameState::kComplete
                           ? mqtt::read_connack(framed.frame, version)
                           : mqtt::Parsed<mqtt::Connack>{tl::make_unexpected(framed.violation)};
  if (!connack) return fail("the broker answers with something that is no CONNACK");
  const unsigned code =
      version == Version::k5 ? static_cast<unsigned>(connack->code) : unsigned{connack->return_code};
  if (code != 0) return fail(fmt::format("the broker refused the connection with 0x{:02X}", code));
  if (connack->properties.has(mqtt::PropertyId::kReceiveMaximum)) {
    receive_maximum_ = connack->properties.receive_maximum;
  }
  state_ = State::kReady;
  thread_.on_connected(dialed_at_);
  return true;
}

void Client::ping() {
  if (!can_send()) return;
  ByteBuffer packet;
  mqtt::write_pingreq(packet);
  send(packet.view());
}

void Client::disconnect() {
  if (state_ == State::kReady) {
    ByteBuffer packet;
    mqtt::write_disconnect(packet, thread_.traffic().settings.version, mqtt::ReasonCode::kSuccess);
    send(packet.view());
  }
  state_ = State::kUnused;
  socket_.reset();
  if (wire_ != nullptr && wire_->tls() != nullptr) ticket_ = wire_->tls()->take_ticket();
  wire_.reset();
  unsent_.release();
  unread_.release();
  skip_bytes_ = 0;
}

// ---- subscribing ----

void Client::subscribe() {
  filters_requested_ = filters_granted_ = 0;
  if (plan_.filters.count == 0 || state_ != State::kReady) return thread_.on_subscribed();
  request_filters();
}

void Client::request_filters() {
  const Plan& plan = thread_.traffic().plan;
  ByteBuffer packets;
  while (filters_requested_ < plan_.filters.count && filters_requested_ - filters_granted_ < kFiltersAhead) {
    const std::uint64_t count = std::min(kFiltersPerPacket, plan_.filters.count - filters_requested_);
    std::vector<std::string> filters;
    std::vector<mqtt::SubscriptionRequest> requests;
    filters.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      filters.push_back(plan.filter_at(plan_.filters.first + filters_requested_ + i));
      requests.push_back({.filter = filters.back(), .qos = plan_.subscribe_qos});
    }
    const auto id = static_cast<std::uint16_t>(filters_requested_ / kFiltersPerPacket % 65'535 + 1);
    mqtt::write_subscribe(packets, thread_.traffic().settings.version, mqtt::PacketId{id}, requests);
    filters_requested_ += count;
  }
  if (!packets.empty()) send(packets.view());
}

bool Client::on_suback(ByteView packet) {
  const Version version = thread_.traffic().settings.version;
  const auto framed = mqtt::next_frame(packet, kPacketBytesMax, version);
  if (framed.state != mqtt::FrameState::kComplete) return fail(kMalformed);
  const auto suback = mqtt::read_suback(framed.frame, version);
  if (!suback) return fail(kMalformed);
  for (const mqtt::ReasonCode code : suback->codes) {
    if (static_cast<unsigned>(code) >= 0x80) {
      return fail(
          fmt::format("the broker refused a subscription with 0x{:02X}", static_cast<unsigned>(code)));
    }
  }
  thread_.count().subscribed.add(suback->codes.size());
  filters_granted_ += suback->codes.size();
  if (filters_granted_ >= plan_.filters.count) {
    thread_.on_subscribed();
  } else {
    request_filters();
  }
  return true;
}

// ---- bytes ----

void Client::on_events(std::uint32_t events) {
  if (state_ == State::kUnused || state_ == State::kClosed) return;
  if ((events & EPOLLOUT) != 0 && (state_ == State::kDialing || !unsent_.empty())) on_writable();
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0 || state_ == State::kDialing) return;
  if (receive()) thread_.read_again(*this);
}

void Client::send(ByteView bytes) {
  if (wire_ == nullptr || bytes.empty()) return send_on_socket(bytes);
  ByteBuffer& wrapped = thread_.wrapped();
  wrapped.clear();
  {
    const TlsTime time(*wire_, thread_.count());
    wire_->send(bytes, wrapped);
  }
  send_on_socket(wrapped.view());
}

void Client::send_on_socket(ByteView bytes) {
  if (bytes.empty()) return;
  if (unsent_.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      thread_.count().bytes_out.add(static_cast<std::uint64_t>(sent));
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    // Any other error shows when the socket is read.
  }
  unsent_.append(bytes);
}

bool Client::receive() {
  if (state_ != State::kReady && state_ != State::kGreeting) return false;
  std::byte* const buffer = thread_.read_buffer();
  const std::size_t kept = unread_.size();
  if (kept != 0) std::memcpy(buffer, unread_.view().data(), kept);
  unread_.clear();
  const bool has_tls = wire_ != nullptr && wire_->tls() != nullptr;
  std::byte* const bytes = has_tls ? thread_.record_buffer() : buffer + kept;
  const ssize_t count = ::recv(socket_.get(), bytes, kReadBytes, 0);
  if (count <= 0) {
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
      unread_.append(ByteView{buffer, kept});
      return errno == EINTR;
    }
    if (count == 0) return fail("the broker closed the connection");
    fail_by_system("the connection broke", errno);
    return false;
  }
  thread_.count().bytes_in.add(static_cast<std::uint64_t>(count));
  thread_.begin_messages();
  ByteBuffer& replies = thread_.replies();
  replies.clear();
  auto received = static_cast<std::size_t>(count);
  if (wire_ != nullptr) {
    const auto plain = unwrap(bytes, received, buffer + kept);
    if (!plain) return false;
    received = *plain;
  }
  ByteView in = ByteView{buffer, kept + received};
  if (skip_bytes_ != 0) in = skip_rest_of_publish(in);
  const std::size_t parsed = parse(in);
  thread_.end_messages();
  if (state_ == State::kClosed) return false;
  send(replies.view());
  unread_.append(in.subspan(parsed));
  return static_cast<std::size_t>(count) == kReadBytes;
}

// ---- TLS and WebSocket ----

void Client::begin_wire() {
  wire_ = std::make_unique<Wire>(thread_.traffic().settings.wire, ticket_.get());
  ByteBuffer& wrapped = thread_.wrapped();
  wrapped.clear();
  {
    const TlsTime time(*wire_, thread_.count());
    wire_->begin(wrapped);
  }
  send_on_socket(wrapped.view());
}

std::optional<std::size_t> Client::unwrap(std::byte* bytes, std::size_t count, std::byte* into) {
  ByteBuffer& answers = thread_.wrapped();
  answers.clear();
  const bool was_open = wire_->is_open();
  const auto plain = [&] {
    const TlsTime time(*wire_, thread_.count());
    return wire_->receive(bytes, count, into, answers);
  }();
  // A failure has last words for the broker, too.
  send_on_socket(answers.view());
  if (!plain) {
    fail(plain.error().message);
    return std::nullopt;
  }
  if (wire_->is_open() && !was_open) on_wire_open();
  return *plain;
}

void Client::on_wire_open() {
  if (const net::TlsClientStream* const tls = wire_->tls(); tls != nullptr) {
    thread_.traffic().note_tls_suite(*tls);
    if (tls->is_resumed()) thread_.count().resumed.add(1);
  }
  send_connect();
}

std::size_t Client::parse(ByteView in) {
  std::size_t at = 0;
  while (at < in.size()) {
    const ByteView rest = in.subspan(at);
    const ScannedPacket packet = scan_packet(rest);
    if (packet.state == ScanState::kMalformed) {
      fail(kMalformed);
      return in.size();
    }
    if (packet.state == ScanState::kNeedMore) {
      if (packet.header_bytes == 0 || packet.size <= kGatheredBytes) return at;
      return begin_large_publish(rest, packet) ? in.size() : at;
    }
    if (!on_packet(rest.first(packet.size), packet)) return in.size();
    at += packet.size;
  }
  return at;
}

bool Client::on_packet(ByteView packet, const ScannedPacket& scanned) {
  switch (scanned.type()) {
    case PacketType::kPublish: {
      ScannedPublish publish;
      const bool has_properties = thread_.traffic().settings.version == Version::k5;
      if (scan_publish(packet, scanned, has_properties, publish) != ScanState::kComplete) {
        return fail(kMalformed);
      }
      on_publish(packet.subspan(publish.payload_at), publish);
      return true;
    }
    case PacketType::kPuback:
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
      return on_acknowledgement(packet, scanned);
    case PacketType::kConnack:
      return on_connack(packet);
    case PacketType::kSuback:
      return on_suback(packet);
    case PacketType::kDisconnect:
      return fail(fmt::format("the broker disconnected the client with 0x{:02X}",
                              packet.size() > 2 ? std::to_integer<unsigned>(packet[2]) : 0U));
    default:
      return true;
  }
}

// ---- messages ----

void Client::reply(PacketType type, std::uint16_t packet_id) {
  std::byte* const at = thread_.replies().prepare(4);
  at[0] =
      static_cast<std::byte>((static_cast<unsigned>(type) << 4U) | (type == PacketType::kPubrel ? 2U : 0U));
  at[1] = std::byte{2};
  at[2] = static_cast<std::byte>(packet_id >> 8U);
  at[3] = static_cast<std::byte>(packet_id & 0xFFU);
  thread_.replies().commit(4);
}

bool Client::on_acknowledgement(ByteView packet, const ScannedPacket& scanned) {
  const std::size_t at = scanned.header_bytes;
  if (packet.size() < at + 2) return fail(kMalformed);
  const std::uint16_t id = read_u16(&packet[at]);
  const unsigned code = packet.size() > at + 2 ? std::to_integer<unsigned>(packet[at + 2]) : 0;
  const PacketType type = scanned.type();
  if (type == PacketType::kPubrel) return reply(PacketType::kPubcomp, id), true;
  if (code >= 0x80)
    thread_.traffic().report(fmt::format("{}: the broker refused a message with 0x{:02X}", plan_.id, code));
  if (type == PacketType::kPubrec && code < 0x80) return reply(PacketType::kPubrel, id), true;
  if (publisher_ == nullptr) return true;
  thread_.on_acknowledged(publisher_->acknowledge());
  thread_.list(*publisher_);
  return true;
}

void Client::on_publish(ByteView payload, const ScannedPublish& publish) {
  if (publish.qos == 1) reply(PacketType::kPuback, publish.packet_id);
  if (publish.qos == 2) reply(PacketType::kPubrec, publish.packet_id);
  Traffic& traffic = thread_.traffic();
  Identity identity;
  if (payload.size() != traffic.pattern.size() || !read_identity(payload, traffic.run, identity)) {
    return thread_.count().foreign.add(1);
  }
  if (payload.size() > kCheckedBytes &&
      !is_pattern(payload.subspan(kCheckedBytes), traffic.pattern.data() + kCheckedBytes)) {
    thread_.count().damaged.add(1);
  }
  take(identity);
}

void Client::take(const Identity& identity) {
  const std::uint64_t source = identity.stream - plan_.sources.first;
  if (source >= tracks_.size()) return thread_.count().foreign.add(1);
  thread_.on_message(tracks_[source], identity);
}

bool Client::begin_large_publish(ByteView in, const ScannedPacket& packet) {
  ScannedPublish publish;
  if (packet.type() != PacketType::kPublish ||
      scan_publish(in, packet, thread_.traffic().settings.version == Version::k5, publish) !=
          ScanState::kComplete) {
    return false;
  }
  const ByteView head = in.subspan(publish.payload_at);
  if (head.size() < kCheckedBytes) return false;
  Traffic& traffic = thread_.traffic();
  skipped_ = {.qos = publish.qos, .packet_id = publish.packet_id};
  skipped_.is_own = packet.size - publish.payload_at == traffic.pattern.size() &&
                    read_identity(head.first(kCheckedBytes), traffic.run, skipped_.identity);
  skipped_.is_damaged =
      skipped_.is_own && !is_pattern(head.subspan(kCheckedBytes), traffic.pattern.data() + kCheckedBytes);
  skip_bytes_ = packet.size - in.size();
  return true;
}

ByteView Client::skip_rest_of_publish(ByteView in) {
  const ByteView part = in.first(std::min(skip_bytes_, in.size()));
  const std::vector<std::byte>& pattern = thread_.traffic().pattern;
  if (skipped_.is_own && !is_pattern(part, pattern.data() + pattern.size() - skip_bytes_))
    skipped_.is_damaged = true;
  skip_bytes_ -= part.size();
  if (skip_bytes_ != 0) return {};
  if (skipped_.qos == 1) reply(PacketType::kPuback, skipped_.packet_id);
  if (skipped_.qos == 2) reply(PacketType::kPubrec, skipped_.packet_id);
  if (skipped_.is_damaged) thread_.count().damaged.add(1);
  if (skipped_.is_own) {
    take(skipped_.identity);
  } else {
    thread_.count().foreign.add(1);
  }
  return in.subspan(part.size());
}

}  // namespace nightjar::cli::bench
