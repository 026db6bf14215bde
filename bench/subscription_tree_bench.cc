// One million filters, a mix of exact ones, '+' and '#': what a match costs and how many bytes a filter
// takes.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker/routing/subscription_tree.h"

namespace nightjar::broker {
namespace {

constexpr WorkerIndex kWorker{0};

// A fleet: half of the filters name one topic, three in ten end in "#", two in ten hold a '+'.
std::string filter_of(std::uint64_t number) {
  const std::string device =
      "fleet/" + std::to_string(number / 10 % 1000) + "/dev" + std::to_string(number / 10);
  switch (number % 10) {
    case 0:
      return device + "/cmd";
    case 1:
      return device + "/cmd/reboot";
    case 2:
      return device + "/config";
    case 3:
      return device + "/firmware/version";
    case 4:
      return device + "/state";
    case 5:
      return device + "/#";
    case 6:
      return device + "/state/#";
    case 7:
      return device + "/log/#";
    case 8:
      return device + "/+/ack";
    default:
      return device + "/sensor/+/alarm";
  }
}
std::string topic_of(std::uint64_t number) {
  return "fleet/" + std::to_string(number % 1000) + "/dev" + std::to_string(number) + "/cmd/reboot";
}

struct Loaded {
  explicit Loaded(std::uint64_t count) : tree(1), filters(count) {
    const std::size_t heap_before = heap_bytes();
    for (std::uint64_t i = 0; i < count; ++i) {
      tree.add(filter_of(i), kWorker);
      if (i % 64 == 0) tree.quiescent(kWorker);
    }
    for (int turn = 0; turn < 1000; ++turn) tree.quiescent(kWorker);
    heap_bytes_per_filter = static_cast<double>(heap_bytes() - heap_before) / static_cast<double>(count);
    for (std::uint64_t i = 0; i < count / 10; i += 7) topics.push_back(topic_of(i * 7919 % (count / 10)));
  }
  // With what the allocator adds.
  static std::size_t heap_bytes() {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  }

  SubscriptionTree tree;
  std::uint64_t filters;
  double heap_bytes_per_filter = 0;
  std::vector<std::string> topics;
};

Loaded& loaded(std::uint64_t count) {
  static std::unique_ptr<Loaded> last;
  if (!last || last->filters != count) {
    last.reset();
    last = std::make_unique<Loaded>(count);
  }
  return *last;
}

void report_memory(benchmark::State& state, const Loaded& data) {
  state.counters["heap_B/filter"] = data.heap_bytes_per_filter;
  state.counters["tree_B/filter"] =
      static_cast<double>(data.tree.memory_bytes()) / static_cast<double>(data.tree.filter_count());
}

// Every topic another device: nothing of its path is in the cache.
void match_among(benchmark::State& state) {
  Loaded& data = loaded(static_cast<std::uint64_t>(state.range(0)));
  std::vector<Match> out;
  std::size_t next = 0;
  std::size_t found = 0;
  for (auto _ : state) {
    out.clear();
    data.tree.match(data.topics[next], out);
    found += out.size();
    if (++next == data.topics.size()) next = 0;
  }
  state.counters["matches"] =
      benchmark::Counter(static_cast<double>(found), benchmark::Counter::kAvgIterations);
  report_memory(state, data);
}
BENCHMARK(match_among)->ArgName("filters")->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

void match_of_nothing(benchmark::State& state) {
  Loaded& data = loaded(static_cast<std::uint64_t>(state.range(0)));
  std::vector<Match> out;
  for (auto _ : state) {
    data.tree.match("fleet/7/unknown/state", out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(match_of_nothing)->ArgName("filters")->Arg(1'000'000);

// What a device costs that comes and goes.
void add_and_remove(benchmark::State& state) {
  Loaded& data = loaded(static_cast<std::uint64_t>(state.range(0)));
  std::uint64_t number = 0;
  for (auto _ : state) {
    const std::string filter = "fleet/7/guest" + std::to_string(++number) + "/#";
    data.tree.add(filter, kWorker);
    data.tree.remove(filter, kWorker);
    data.tree.quiescent(kWorker);
  }
}
BENCHMARK(add_and_remove)->ArgName("filters")->Arg(1'000'000);

}  // namespace
}  // namespace nightjar::broker

BENCHMARK_MAIN();
