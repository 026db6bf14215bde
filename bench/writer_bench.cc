// What it costs to encode a packet into the output of a connection.
#include <benchmark/benchmark.h>

#include "bench/packets.h"
#include "bench/per_item.h"

namespace nightjar::mqtt {
namespace {

// What a connection gathers before it is flushed.
constexpr std::size_t kOutputBytes = 64 * 1024;

template <typename Write>
void write_each(benchmark::State& state, Write write) {
  ByteBuffer out;
  std::size_t size = 0;
  for (auto _ : state) {
    if (out.size() > kOutputBytes) out.clear();
    const std::size_t before = out.size();
    write(out);
    size = out.size() - before;
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  bench::report_items(state, 1, "packet");
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(size));
}

void write_publishes(benchmark::State& state, Version version, ByteView properties) {
  const PublishOut packet = bench::publish_of(static_cast<Qos>(state.range(0)), properties);
  write_each(state, [&](ByteBuffer& out) { write_publish(out, version, packet); });
}

void publish_v311(benchmark::State& state) { write_publishes(state, Version::k311, {}); }
BENCHMARK(publish_v311)->ArgName("qos")->Arg(0)->Arg(1);

void publish_v5(benchmark::State& state) { write_publishes(state, Version::k5, {}); }
BENCHMARK(publish_v5)->ArgName("qos")->Arg(0)->Arg(1);

void publish_v5_with_properties(benchmark::State& state) {
  const ByteBuffer properties = bench::request_properties();
  write_publishes(state, Version::k5, properties.view());
}
BENCHMARK(publish_v5_with_properties)->ArgName("qos")->Arg(0)->Arg(1);

void write_acks(benchmark::State& state, PacketType type, ReasonCode code) {
  std::uint16_t id = 0;
  write_each(state, [&](ByteBuffer& out) {
    if (++id == 0) id = 1;
    write_publish_ack(out, Version::k5, type, {id}, code);
  });
}

void puback(benchmark::State& state) { write_acks(state, PacketType::kPuback, ReasonCode::kSuccess); }
BENCHMARK(puback);

void puback_with_reason(benchmark::State& state) {
  write_acks(state, PacketType::kPuback, ReasonCode::kNoMatchingSubscribers);
}
BENCHMARK(puback_with_reason);

void pubrec(benchmark::State& state) { write_acks(state, PacketType::kPubrec, ReasonCode::kSuccess); }
BENCHMARK(pubrec);

void pubcomp(benchmark::State& state) { write_acks(state, PacketType::kPubcomp, ReasonCode::kSuccess); }
BENCHMARK(pubcomp);

}  // namespace
}  // namespace nightjar::mqtt

BENCHMARK_MAIN();
