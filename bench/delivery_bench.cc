// A message through the whole core: from the bytes of a publisher over routing and the subscriber's session
// to the bytes for the subscriber, with every acknowledgement of its QoS. The World stands for sockets: it
// copies bytes where the broker makes system calls.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "bench/per_item.h"
#include "mqtt/reader.h"
#include "mqtt/writer.h"
#include "tests/support/world.h"

namespace nightjar {
namespace {

using mqtt::PacketType;
using mqtt::Qos;

constexpr std::string_view kTopic = "fleet/17/dev4711/sensor/temperature";
constexpr mqtt::Version kVersion = mqtt::Version::k311;
// What a busy connection brings in one turn.
constexpr std::uint16_t kBatch = 64;

Qos qos_of(const mqtt::Frame& publish) { return static_cast<Qos>(publish.flags >> 1 & 3); }
// It stands behind the topic and its length.
mqtt::PacketId id_of(const mqtt::Frame& publish) {
  const ByteView bytes = publish.body.subspan(2 + mqtt::peek_topic(publish).size(), 2);
  return {static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[0]) << 8 |
                                     std::to_integer<unsigned>(bytes[1]))};
}

// A client that answers what its QoS asks for and does nothing else: its work is measured, too.
class BareClient {
 public:
  BareClient(testing::World& world, std::string_view client_id) : world_(world), wire_(world.dial(0)) {
    mqtt::write_connect(wire_->to_broker, {.version = kVersion, .keep_alive_s = 0, .client_id = client_id});
    world_.settle();
    answer();
  }

  void subscribe(std::string_view filter, Qos qos) {
    const mqtt::SubscriptionRequest request{.filter = filter, .qos = qos};
    mqtt::write_subscribe(wire_->to_broker, kVersion, {1}, {&request, 1});
    world_.settle();
    answer();
  }

  void send(ByteView bytes) { wire_->to_broker.append(bytes); }

  // Reads everything that has arrived; true if it wrote an answer.
  bool answer() {
    const std::size_t before = wire_->to_broker.size();
    ByteView rest = wire_->to_client.view();
    for (;;) {
      const auto next = mqtt::next_frame(rest, mqtt::kRemainingLengthMax, kVersion);
      if (next.state != mqtt::FrameState::kComplete) break;
      answer_one(next.frame);
      rest = rest.subspan(next.frame.size);
    }
    wire_->to_client.clear();
    return wire_->to_broker.size() != before;
  }

  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t completed() const { return completed_; }

 private:
  void answer_one(const mqtt::Frame& frame) {
    switch (frame.type) {
      case PacketType::kPublish:
        ++received_;
        if (qos_of(frame) == Qos::kAtLeastOnce) write(PacketType::kPuback, id_of(frame));
        if (qos_of(frame) == Qos::kExactlyOnce) write(PacketType::kPubrec, id_of(frame));
        break;
      case PacketType::kPubrec:
        write(PacketType::kPubrel, mqtt::read_publish_ack(frame, kVersion)->packet_id);
        break;
      case PacketType::kPubrel:
        write(PacketType::kPubcomp, mqtt::read_publish_ack(frame, kVersion)->packet_id);
        break;
      case PacketType::kPuback:
      case PacketType::kPubcomp:
        ++completed_;
        break;
      default:
        break;
    }
  }
  void write(PacketType type, mqtt::PacketId id) {
    mqtt::write_publish_ack(wire_->to_broker, kVersion, type, id);
  }

  testing::World& world_;
  std::shared_ptr<testing::Wire> wire_;
  std::uint64_t received_ = 0;
  std::uint64_t completed_ = 0;
};

ByteBuffer batch_of(Qos qos) {
  const std::string payload(64, 'x');
  ByteBuffer out;
  for (std::uint16_t i = 1; i <= kBatch; ++i) {
    mqtt::write_publish(out, kVersion,
                        {.qos = qos, .packet_id = {i}, .topic = kTopic, .payload = as_bytes(payload)});
  }
  return out;
}

// `window`: messages that may be unacknowledged at a time; what is beyond it waits in the session's queue.
void deliver(benchmark::State& state, std::uint16_t window) {
  const Qos qos = static_cast<Qos>(state.range(0));
  testing::World world({.workers = 1, .listener = {.inflight_max = window}});
  BareClient subscriber{world, "subscriber"};
  subscriber.subscribe("fleet/17/+/sensor/#", qos);
  BareClient publisher{world, "publisher"};
  const ByteBuffer batch = batch_of(qos);
  for (auto _ : state) {
    publisher.send(batch.view());
    bool is_moving = true;
    while (is_moving) {
      world.turn(0);
      is_moving = publisher.answer();
      is_moving |= subscriber.answer();
    }
  }
  const auto sent = static_cast<std::uint64_t>(state.iterations()) * kBatch;
  if (subscriber.received() != sent) state.SkipWithError("not every message arrived");
  if (qos != Qos::kAtMostOnce && publisher.completed() != sent) state.SkipWithError("not all acknowledged");
  bench::report_items(state, kBatch, "message");
}

// The window takes the whole batch: each message is written at once.
void straight(benchmark::State& state) { deliver(state, 1024); }
BENCHMARK(straight)->ArgName("qos")->Arg(0)->Arg(1)->Arg(2);

// Most of each batch waits in the queue until acknowledgements open the window.
void through_the_queue(benchmark::State& state) { deliver(state, 16); }
BENCHMARK(through_the_queue)->ArgName("qos")->Arg(1)->Arg(2);

}  // namespace
}  // namespace nightjar

BENCHMARK_MAIN();
