// Looks now and then how busy each worker is and begins the shard moves that the Balancer asks for. Driven by
// the turns of the workers themselves, so an idle broker does nothing. tick() may be called by every worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>
#include <vector>

#include "base/clock.h"
#include "broker/balance.h"
#include "broker/node.h"
#include "net/mail_room.h"

namespace nightjar::net {

class LoadWatch {
 public:
  LoadWatch(broker::Node& node, MailRoom& mail);

  // By the worker's thread, before its first turn: whose processor time is read.
  void watch_this_thread(broker::WorkerIndex worker);
  // By the worker, around the time in which it has nothing to do.
  void wait_begins(broker::WorkerIndex worker) {
    if (is_on_) waits_[worker.value].since_ns.store(monotonic_ns(), std::memory_order_relaxed);
  }
  void wait_ends(broker::WorkerIndex worker) {
    if (!is_on_) return;
    Wait& wait = waits_[worker.value];
    const std::int64_t ns = monotonic_ns() - wait.since_ns.exchange(0, std::memory_order_relaxed);
    wait.sum_ns.store(wait.sum_ns.load(std::memory_order_relaxed) + ns, std::memory_order_relaxed);
  }
  // Once a turn.
  void tick(MonoTime now) {
    if (is_on_ && now.ms >= next_ms_.load(std::memory_order_relaxed)) look(now);
  }

 private:
  static std::int64_t monotonic_ns();
  void look(MonoTime now);
  void read_busy();
  void read_work();

  broker::Node& node_;
  MailRoom& mail_;
  const bool is_on_;
  std::atomic<std::int64_t> next_ms_{0};
  std::vector<std::atomic<clockid_t>> clocks_;  // 0 until the worker runs
  struct alignas(64) Wait {                     // written at every turn of its worker
    std::atomic<std::int64_t> sum_ns{0};
    std::atomic<std::int64_t> since_ns{0};  // 0: it does not wait now
    [[nodiscard]] std::int64_t until(std::int64_t now_ns) const {
      const std::int64_t since = since_ns.load(std::memory_order_relaxed);
      return sum_ns.load(std::memory_order_relaxed) + (since == 0 ? 0 : now_ns - since);
    }
  };
  std::vector<Wait> waits_;

  // Of whoever looks, one at a time.
  std::atomic_flag is_looking_;
  std::int64_t last_look_ns_ = 0;
  std::vector<std::int64_t> cpu_ns_;
  std::vector<std::int64_t> waited_before_;
  std::vector<std::uint32_t> counted_;  // by worker and shard
  std::vector<double> busy_;
  std::vector<double> occupied_;
  std::vector<broker::WorkerIndex> owners_;
  std::vector<std::uint64_t> work_;
  std::vector<std::uint32_t> weight_;
  broker::Balancer balancer_;
};

}  // namespace nightjar::net
