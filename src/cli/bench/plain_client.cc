#include "cli/bench/plain_client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "cli/dial.h"
#include "mqtt/writer.h"

namespace nightjar::cli::bench {
namespace {

constexpr Duration kPatience = Duration::seconds(30);
constexpr std::size_t kReadAtOnce = 256 * 1024;

bool wait_for(int fd, short events) {
  pollfd ready{.fd = fd, .events = events, .revents = 0};
  return poll(&ready, 1, static_cast<int>(kPatience.ms)) > 0;
}

// Where bytes that nobody looks at pass through.
struct Scratch {
  std::array<std::byte, kReadAtOnce> wire;
  std::array<std::byte, kReadAtOnce + Wire::kHeldBytesMax> plain;
};
Scratch& scratch() {
  static thread_local const std::unique_ptr<Scratch> kScratch = std::make_unique<Scratch>();
  return *kScratch;
}

}  // namespace

Result<PlainClient> PlainClient::connect(const BenchOptions& options, const std::string& id) {
  auto socket =
      options.unix_path.empty() ? dial(options.host, options.port, kPatience) : dial_unix(options.unix_path);
  if (!socket) return fail(socket.error().message);
  PlainClient client(std::move(*socket));
  NJ_CHECK(client.open_wire(options));
  ByteBuffer packet;
  mqtt::write_connect(packet, {.keep_alive_s = 0,
                               .client_id = id,
                               .has_user_name = !options.user_name.empty(),
                               .user_name = options.user_name,
                               .has_password = !options.password.empty(),
                               .password = as_bytes(options.password)});
  NJ_CHECK(client.send(packet.view()));
  NJ_CHECK(client.expect(4, "CONNECT"));
  return client;
}

Result<bool> PlainClient::open_wire(const BenchOptions& options) {
  NJ_TRY(const WireSettings settings, make_wire_settings(options));
  if (settings.is_plain()) return true;
  wire_ = std::make_unique<Wire>(settings, nullptr);
  wire_->begin(unsent_);
  NJ_CHECK(flush());
  while (!wire_->is_open()) NJ_CHECK(read_some("the handshake"));
  return true;
}

Result<bool> PlainClient::subscribe(const std::string& filter) {
  ByteBuffer packet;
  const std::array requests{mqtt::SubscriptionRequest{.filter = filter}};
  mqtt::write_subscribe(packet, mqtt::Version::k311, mqtt::PacketId{1}, requests);
  NJ_CHECK(send(packet.view()));
  return expect(5, "SUBSCRIBE");
}

Result<bool> PlainClient::wait_until_taken() {
  ByteBuffer packet;
  mqtt::write_pingreq(packet);
  NJ_CHECK(send(packet.view()));
  return expect(2, "PINGREQ");
}

void PlainClient::wrap(ByteView packets) {
  if (wire_) {
    wire_->send(packets, unsent_);
  } else {
    unsent_.append(packets);
  }
}

Result<bool> PlainClient::send(ByteView packets) {
  wrap(packets);
  return flush();
}

Result<bool> PlainClient::flush() {
  while (!unsent_.empty()) {
    const ssize_t sent = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      unsent_.consume(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN || !wait_for(socket_.get(), POLLOUT)) {
      return fail(fmt::format("the broker takes no more: {}", std::strerror(errno)));
    }
  }
  return true;
}

Result<std::size_t> PlainClient::read_some(const char* what) {
  if (!wait_for(socket_.get(), POLLIN)) return fail(fmt::format("the broker does not answer {}", what));
  Scratch& bytes = scratch();
  const ssize_t got = recv(socket_.get(), bytes.wire.data(), bytes.wire.size(), 0);
  if (got <= 0) return fail(fmt::format("the broker refuses {}", what));
  auto count = static_cast<std::size_t>(got);
  if (!wire_) return count;
  std::byte* const into = wire_->tls() != nullptr ? bytes.plain.data() : bytes.wire.data();
  NJ_TRY(count, wire_->receive(bytes.wire.data(), count, into, unsent_));
  NJ_CHECK(flush());
  return count;
}

// The answers that are waited for have known lengths, and nothing else comes.
Result<bool> PlainClient::expect(std::size_t bytes, const char* what) {
  while (bytes != 0) {
    NJ_TRY(const std::size_t got, read_some(what));
    bytes -= std::min(got, bytes);
  }
  return true;
}

std::size_t PlainClient::discard_input() {
  Scratch& bytes = scratch();
  std::size_t all = 0;
  for (;;) {
    const ssize_t got = recv(socket_.get(), bytes.wire.data(), bytes.wire.size(), MSG_DONTWAIT);
    if (got <= 0) return all;
    auto count = static_cast<std::size_t>(got);
    if (wire_) {
      std::byte* const into = wire_->tls() != nullptr ? bytes.plain.data() : bytes.wire.data();
      const auto plain = wire_->receive(bytes.wire.data(), count, into, unsent_);
      if (!plain) return all;
      count = *plain;
    }
    all += count;
  }
}

void PlainClient::send_now(ByteBuffer& packets) {
  if (unsent_.empty() && !packets.empty()) {
    wrap(packets.view());
    packets.clear();
  }
  if (unsent_.empty()) return;
  const ssize_t sent = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (sent > 0) unsent_.consume(static_cast<std::size_t>(sent));
}

}  // namespace nightjar::cli::bench
