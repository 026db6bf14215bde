// What it costs to cut a packet off the bytes of a connection and to read it, complete with its checks.
#include <benchmark/benchmark.h>

#include "bench/packets.h"
#include "bench/per_item.h"
#include "mqtt/reader.h"

namespace nightjar::mqtt {
namespace {

using bench::publish_of;

constexpr std::size_t kPacketBytesMax = 16 * 1024 * 1024;
// As many bytes as one read of a busy connection brings.
constexpr std::size_t kReadBytes = 64 * 1024;

// Whole packets, one behind the other.
ByteBuffer repeated(const ByteBuffer& packet) {
  ByteBuffer out;
  while (out.size() + packet.size() <= kReadBytes) out.append(packet.view());
  return out;
}

// Calls `read` with each frame of `in` in turn, over and over: one frame an iteration.
template <typename Read>
void read_each(benchmark::State& state, const ByteBuffer& in, Version version, Read read) {
  ByteView rest = in.view();
  std::size_t size = 0;
  for (auto _ : state) {
    const FrameResult next = next_frame(rest, kPacketBytesMax, version);
    if (next.state != FrameState::kComplete || !read(next.frame)) {
      state.SkipWithError("the packet was refused");
      break;
    }
    size = next.frame.size;
    rest = rest.size() == size ? in.view() : rest.subspan(size);
  }
  bench::report_items(state, 1, "packet");
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(size));
}

void read_publishes(benchmark::State& state, Version version, Qos qos, ByteView properties) {
  ByteBuffer packet;
  write_publish(packet, version, publish_of(qos, properties));
  Publish into;
  read_each(state, repeated(packet), version, [&](const Frame& frame) {
    const bool is_read = read_publish(frame, version, TopicCheck::kIsNeeded, into).has_value();
    benchmark::DoNotOptimize(into.payload.data());
    return is_read;
  });
}

void publish_v311(benchmark::State& state) {
  read_publishes(state, Version::k311, static_cast<Qos>(state.range(0)), {});
}
BENCHMARK(publish_v311)->ArgName("qos")->Arg(0)->Arg(1);

void publish_v5(benchmark::State& state) {
  read_publishes(state, Version::k5, static_cast<Qos>(state.range(0)), {});
}
BENCHMARK(publish_v5)->ArgName("qos")->Arg(0)->Arg(1);

void publish_v5_with_properties(benchmark::State& state) {
  const ByteBuffer properties = bench::request_properties();
  read_publishes(state, Version::k5, static_cast<Qos>(state.range(0)), properties.view());
}
BENCHMARK(publish_v5_with_properties)->ArgName("qos")->Arg(0)->Arg(1);

// The topic has been seen before, as most have.
void publish_v311_of_known_topic(benchmark::State& state) {
  ByteBuffer packet;
  write_publish(packet, Version::k311, publish_of(Qos::kAtMostOnce, {}));
  Publish into;
  read_each(state, repeated(packet), Version::k311, [&](const Frame& frame) {
    const bool is_read = read_publish(frame, Version::k311, TopicCheck::kIsValid, into).has_value();
    benchmark::DoNotOptimize(into.payload.data());
    return is_read;
  });
}
BENCHMARK(publish_v311_of_known_topic);

void read_connects(benchmark::State& state, const ConnectOut& connect) {
  ByteBuffer packet;
  write_connect(packet, connect);
  read_each(state, repeated(packet), connect.version, [](const Frame& frame) {
    Version version = Version::k311;
    const Parsed<Connect> read = read_connect(frame, version);
    benchmark::DoNotOptimize(read);
    return read.has_value();
  });
}

void connect_v311(benchmark::State& state) {
  read_connects(state, {.client_id = "dev4711", .has_user_name = true, .user_name = "ann"});
}
BENCHMARK(connect_v311);

void connect_v5_with_will(benchmark::State& state) {
  ByteBuffer properties;
  PropertyWriter writer{properties};
  writer.u32(PropertyId::kSessionExpiryInterval, 3600);
  writer.u16(PropertyId::kReceiveMaximum, 100);
  writer.user("firmware", "2.17.4");
  ByteBuffer will_properties;
  PropertyWriter{will_properties}.u32(PropertyId::kWillDelayInterval, 30);
  read_connects(state, {.version = Version::k5,
                        .client_id = "dev4711",
                        .has_will = true,
                        .will_topic = "fleet/17/dev4711/state",
                        .will_payload = as_bytes("gone"),
                        .will_qos = Qos::kAtLeastOnce,
                        .will_properties = will_properties.view(),
                        .has_user_name = true,
                        .user_name = "ann",
                        .has_password = true,
                        .password = as_bytes("correct horse"),
                        .properties = properties.view()});
}
BENCHMARK(connect_v5_with_will);

}  // namespace
}  // namespace nightjar::mqtt

BENCHMARK_MAIN();
