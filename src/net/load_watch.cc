#include "net/load_watch.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "broker/control.h"

namespace nightjar::net {
namespace {

std::int64_t cpu_time_ns(clockid_t clock) {
  timespec time{};
  if (clock == 0 || ::clock_gettime(clock, &time) != 0) return 0;
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::int64_t LoadWatch::monotonic_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

LoadWatch::LoadWatch(broker::Node& node, MailRoom& mail)
    : node_(node),
      mail_(mail),
      is_on_(node.policy().placement == broker::Placement::kAdaptive && node.worker_count() > 1),
      clocks_(node.worker_count()),
      waits_(node.worker_count()),
      cpu_ns_(node.worker_count()),
      waited_before_(node.worker_count()),
      counted_(std::size_t{node.worker_count()} * node.policy().shards),
      busy_(node.worker_count()),
      occupied_(node.worker_count()),
      owners_(node.policy().shards),
      work_(node.policy().shards),
      weight_(node.policy().shards) {}

void LoadWatch::watch_this_thread(broker::WorkerIndex worker) {
  clockid_t clock{};
  if (::pthread_getcpuclockid(::pthread_self(), &clock) == 0) clocks_[worker.value].store(clock);
}

void LoadWatch::look(MonoTime now) {
  if (is_looking_.test_and_set(std::memory_order_acquire)) return;
  next_ms_.store(now.ms + broker::Balancer::kLookEveryMs, std::memory_order_relaxed);
  read_busy();
  read_work();
  for (const broker::ShardStep& step : balancer_.look({busy_, occupied_, owners_, work_, weight_})) {
    mail_.run_on(step.from,
                 [step](broker::Worker& owner) { broker::move_shard(owner, step.shard, step.to); });
  }
  is_looking_.clear(std::memory_order_release);
}

void LoadWatch::read_busy() {
  const std::int64_t now_ns = monotonic_ns();
  const auto elapsed_ns = static_cast<double>(now_ns - std::exchange(last_look_ns_, now_ns));
  for (std::size_t i = 0; i < clocks_.size(); ++i) {
    const std::int64_t used_ns = cpu_time_ns(clocks_[i].load(std::memory_order_relaxed));
    busy_[i] = elapsed_ns > 0 ? static_cast<double>(used_ns - cpu_ns_[i]) / elapsed_ns : 0;
    cpu_ns_[i] = used_ns;
    const std::int64_t waited_ns = waits_[i].until(now_ns);
    const double idle = elapsed_ns > 0 ? static_cast<double>(waited_ns - waited_before_[i]) / elapsed_ns : 1;
    occupied_[i] = std::clamp(1 - idle, 0.0, 1.0);
    waited_before_[i] = waited_ns;
  }
}

void LoadWatch::read_work() {
  for (std::uint16_t shard = 0; shard < work_.size(); ++shard) {
    owners_[shard] = node_.owner_of({shard});
    work_[shard] = 0;
    weight_[shard] = node_.weight_of({shard});
    for (std::uint16_t worker = 0; worker < clocks_.size(); ++worker) {
      std::uint32_t& before = counted_[std::size_t{worker} * work_.size() + shard];
      const std::uint32_t now = node_.work_of({worker})[shard].load(std::memory_order_relaxed);
      work_[shard] += now - before;  // also when the counter has wrapped
      before = now;
    }
  }
}

}  // namespace nightjar::net
