#include "cli/bench/beside.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "cli/bench/schedule.h"
#include "mqtt/writer.h"

namespace nightjar::cli::bench {
namespace {

constexpr std::size_t kUnsentBytesMax = 1024 * 1024;
constexpr Nanoseconds kTurn = kMillisecond;
// Churned subscriptions that exist at a time.
constexpr std::uint64_t kChurnedMax = 1000;
constexpr std::string_view kTopic = "beside/news";

std::uint16_t packet_id(std::uint64_t number) { return static_cast<std::uint16_t>(number % 65'535 + 1); }

std::string filter_text(std::uint64_t number) {
  return fmt::format("beside/{:03}/{:07}/+", number % 100, number);
}

}  // namespace

Beside::Beside(Kind kind, const BenchOptions& options)
    : kind_(kind), options_(options), has_listener_(kind == Kind::kAll || kind == Kind::kStalled) {}

Beside::~Beside() { stop(); }

Result<std::unique_ptr<Beside>> Beside::start(const BenchOptions& options) {
  if (options.beside.empty()) return std::unique_ptr<Beside>{};
  const Kind kind = options.beside == "all"       ? Kind::kAll
                    : options.beside == "stalled" ? Kind::kStalled
                    : options.beside == "bomb"    ? Kind::kBomb
                                                  : Kind::kChurn;
  std::unique_ptr<Beside> beside(new Beside(kind, options));
  if (beside->has_listener_) {
    NJ_TRY(beside->listener_.client, PlainClient::connect(options, "bench-beside-listener"));
    NJ_CHECK(beside->listener_.client.subscribe(kind == Kind::kAll ? "#" : "beside/#"));
  }
  NJ_TRY(beside->actor_.client, PlainClient::connect(options, "bench-beside-actor"));
  beside->thread_ = std::thread([raw = beside.get()] { raw->run(); });
  return beside;
}

void Beside::run() {
  const Schedule schedule(now_ns(), options_.beside_rate, 0);
  std::uint64_t next = 0;
  while (!is_stopping_.load(std::memory_order_relaxed)) {
    for (const Nanoseconds now = now_ns(); schedule.due(next) <= now; ++next) act(next);
    move_bytes(actor_, true);
    if (has_listener_) move_bytes(listener_, kind_ == Kind::kAll);
    const timespec pause{.tv_sec = 0, .tv_nsec = kTurn};
    nanosleep(&pause, nullptr);
  }
}

void Beside::act(std::uint64_t number) {
  if (actor_.unsent.size() > kUnsentBytesMax) {
    ++skipped_;
    return;
  }
  ++done_;
  if (has_listener_) {
    const std::vector<std::byte> payload(options_.payload_bytes, std::byte{'b'});
    mqtt::write_publish(actor_.unsent, mqtt::Version::k311, {.topic = kTopic, .payload = payload});
    return;
  }
  const std::string filter = filter_text(number);
  const std::array requests{mqtt::SubscriptionRequest{.filter = filter}};
  mqtt::write_subscribe(actor_.unsent, mqtt::Version::k311, mqtt::PacketId{packet_id(number)}, requests);
  if (kind_ == Kind::kBomb || number < kChurnedMax) return;
  const std::string old = filter_text(number - kChurnedMax);
  const std::array<std::string_view, 1> filters{old};
  mqtt::write_unsubscribe(actor_.unsent, mqtt::Version::k311, mqtt::PacketId{packet_id(number)}, filters);
}

void Beside::move_bytes(Peer& peer, bool reads) {
  if (reads) peer.received_bytes += peer.client.discard_input();
  peer.client.send_now(peer.unsent);
}

std::vector<std::pair<std::string, double>> Beside::stop() {
  if (thread_.joinable()) {
    is_stopping_.store(true, std::memory_order_relaxed);
    thread_.join();
  }
  return {{"beside_done", static_cast<double>(done_)},
          {"beside_skipped", static_cast<double>(skipped_)},
          {"beside_received_bytes", static_cast<double>(listener_.received_bytes)}};
}

}  // namespace nightjar::cli::bench
