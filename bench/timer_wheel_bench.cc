// What a worker with 100 000 clients pays for their timers.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <deque>
#include <random>

#include "base/timer_wheel.h"
#include "bench/per_item.h"

namespace nightjar {
namespace {

constexpr MonoTime kStart{1'000'000};
// Keep-alives of a minute and a half, spread as clients connect.
constexpr std::uint64_t kLongestMs = 90'000;
constexpr std::size_t kDelays = 4096;

void do_nothing(void*) {}

// The same delays in every run, drawn beforehand so that drawing is not measured.
class Delays {
 public:
  Delays() {
    std::mt19937_64 random{4711};
    for (Duration& delay : delays_) delay.ms = static_cast<std::int64_t>(1 + random() % kLongestMs);
  }
  Duration next() { return delays_[next_++ % kDelays]; }

 private:
  std::array<Duration, kDelays> delays_;
  std::size_t next_ = 0;
};

struct Armed {
  explicit Armed(std::int64_t count) : wheel(kStart) {
    for (std::int64_t i = 0; i < count; ++i) wheel.arm(timers.emplace_back(do_nothing, nullptr), deadline());
  }
  MonoTime deadline() { return wheel.now() + delays.next(); }

  Delays delays;
  TimerWheel wheel;
  std::deque<Timer> timers;  // a Timer stays where it is
};

void insert_and_cancel(benchmark::State& state) {
  Armed armed{state.range(0)};
  Timer timer{do_nothing, nullptr};
  for (auto _ : state) {
    armed.wheel.arm(timer, armed.deadline());
    timer.cancel();
  }
  bench::report_items(state, 1, "timer");
}
BENCHMARK(insert_and_cancel)->ArgName("timers")->Arg(100'000);

// What every packet of a client does to its keep-alive at most.
void move(benchmark::State& state) {
  Armed armed{state.range(0)};
  auto next = armed.timers.begin();
  for (auto _ : state) {
    armed.wheel.arm(*next, armed.deadline());
    if (++next == armed.timers.end()) next = armed.timers.begin();
  }
  bench::report_items(state, 1, "timer");
}
BENCHMARK(move)->ArgName("timers")->Arg(100'000);

// A millisecond passes; whoever is due arms again, so that the number of timers stands still.
struct Periodic {
  Periodic(Armed& owner, std::uint64_t& calls) : armed(owner), called(calls) {}
  void on_due() {
    ++called;
    armed.wheel.arm(timer, armed.deadline());
  }

  Armed& armed;
  std::uint64_t& called;
  Timer timer = Timer::calling<&Periodic::on_due>(*this);
};

void advance_1_ms(benchmark::State& state) {
  Armed armed{0};
  std::uint64_t called = 0;
  std::deque<Periodic> clients;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    armed.wheel.arm(clients.emplace_back(armed, called).timer, armed.deadline());
  }
  MonoTime now = kStart;
  for (auto _ : state) {
    now = now + Duration{1};
    armed.wheel.advance(now);
  }
  bench::report_items(state, 1, "ms");
  state.counters["due/ms"] =
      benchmark::Counter(static_cast<double>(called), benchmark::Counter::kAvgIterations);
}
BENCHMARK(advance_1_ms)->ArgName("timers")->Arg(100'000);

void next_deadline(benchmark::State& state) {
  Armed armed{state.range(0)};
  for (auto _ : state) benchmark::DoNotOptimize(armed.wheel.next_deadline());
  bench::report_items(state, 1, "look");
}
BENCHMARK(next_deadline)->ArgName("timers")->Arg(100'000);

}  // namespace
}  // namespace nightjar

BENCHMARK_MAIN();
