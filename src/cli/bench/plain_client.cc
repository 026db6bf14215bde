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

bool wait_for(int fd, short events) {
  pollfd ready{.fd = fd, .events = events, .revents = 0};
  return poll(&ready, 1, static_cast<int>(kPatience.ms)) > 0;
}

}  // namespace

Result<PlainClient> PlainClient::connect(const BenchOptions& options, const std::string& id) {
  auto socket = dial(options.host, options.port, kPatience);
  if (!socket) return fail(socket.error().message);
  PlainClient client(std::move(*socket));
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

Result<bool> PlainClient::send(ByteView packets) {
  while (!packets.empty()) {
    const ssize_t sent = ::send(socket_.get(), packets.data(), packets.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      packets = packets.subspan(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN || !wait_for(socket_.get(), POLLOUT)) {
      return fail(fmt::format("the broker takes no more: {}", std::strerror(errno)));
    }
  }
  return true;
}

// The answers that are waited for have known lengths.
Result<bool> PlainClient::expect(std::size_t bytes, const char* what) {
  std::array<std::byte, 16> taken;
  while (bytes != 0) {
    if (!wait_for(socket_.get(), POLLIN)) return fail(fmt::format("the broker does not answer {}", what));
    const ssize_t got = recv(socket_.get(), taken.data(), std::min(bytes, taken.size()), 0);
    if (got <= 0) return fail(fmt::format("the broker refuses {}", what));
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace nightjar::cli::bench
