// What it costs to hand messages to another worker: a batch is filled, posted, taken and read. In one thread,
// so the time for which a cache line travels between two cores is not in it.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "bench/per_item.h"
#include "broker/mailer.h"
#include "net/mailbox.h"

namespace nightjar::net {
namespace {

constexpr broker::WorkerIndex kPoster{0};
constexpr broker::WorkerIndex kReader{1};
constexpr broker::FilterId kFilter{17};

// The way from one worker's mailer to the other's mailbox.
class Way final : public broker::Peers {
 public:
  explicit Way(Mailbox& mailbox) : mailbox_(mailbox) {}
  void post(broker::WorkerIndex, broker::WorkerIndex, std::unique_ptr<broker::MailBatch> batch) override {
    benchmark::DoNotOptimize(mailbox_.post(std::move(batch)));
  }

 private:
  Mailbox& mailbox_;
};

std::uint64_t bytes_in(const broker::MailBatch& batch) {
  std::uint64_t sum = 0;
  for (const broker::SmallDelivery& each : batch.small)
    sum += each.message.topic_bytes + each.message.payload_bytes;
  return sum;
}

// Messages of QoS 0 and 64 bytes, as the router hands them over at the end of a turn.
void post_and_take(benchmark::State& state) {
  const std::string payload(64, 'x');
  const broker::Message::Parts message{.topic = "fleet/17/dev4711/sensor/temperature",
                                       .payload = as_bytes(payload)};
  Mailbox mailbox;
  Way way{mailbox};
  broker::Mailer mailer{way, kPoster, 2};
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); ++i)
      mailer.deliver_small(kReader, message, 1, {&kFilter, 1});
    mailer.flush();
    mailbox.take([&](std::unique_ptr<broker::MailBatch> batch) {
      bytes += bytes_in(*batch);
      mailer.recycle(std::move(batch));
    });
  }
  benchmark::DoNotOptimize(bytes);
  bench::report_items(state, state.range(0), "message");
}
BENCHMARK(post_and_take)->ArgName("entries")->Arg(1)->Arg(32);

// The mailbox alone: what remains when the batch is there already.
void post_and_take_of_nothing(benchmark::State& state) {
  Mailbox mailbox;
  auto spare = std::make_unique<broker::MailBatch>();
  for (auto _ : state) {
    benchmark::DoNotOptimize(mailbox.post(std::move(spare)));
    mailbox.take([&](std::unique_ptr<broker::MailBatch> batch) { spare = std::move(batch); });
  }
  bench::report_items(state, 1, "batch");
}
BENCHMARK(post_and_take_of_nothing);

}  // namespace
}  // namespace nightjar::net

BENCHMARK_MAIN();
